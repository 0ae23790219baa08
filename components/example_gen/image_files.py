"""The structure of JPEG and PNG files: headers, orientation, and the parts that are stored.

Only what a decoder needs for the pixels is stored. Everything else is dropped without re-encoding: EXIF with its GPS
position and thumbnail, XMP, IPTC, comments, text, colour profiles (TensorFlow applies none), and data after the end: a
phone's video, the other images of an MPO file.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import NamedTuple

from PIL import ExifTags, Image

_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # those that stand alone within the data are passed over
_JPEG_END, _JPEG_EXIF, _JPEG_COMMENT = 0xD9, 0xE1, 0xFE
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_APPLICATION = frozenset(range(0xE0, 0xF0))
_JPEG_KEPT = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}  # what tells how the colours are coded

_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type


# What most JPEG files begin with, and what is not in them behind it: a frame of another kind or not of eight bits, and
# what is dropped.
_JFIF = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
_NOT_PLAIN = re.compile(rb"\xff(?:[\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf\xe0-\xef\xfe]|[\xc0-\xc2]..[^\x08])", re.DOTALL)


class ImageFile(NamedTuple):
    """A JPEG or PNG file, and what its headers say."""

    stored: bytes
    width: int
    height: int
    orientation: int  # 1 to 8, as EXIF has it
    bits: int
    channels: int
    process: int = 0  # of a JPEG, the marker of its frame: all decoders read 0xC0 to 0xC2


def is_plain_jpeg(raw: bytes) -> bool:
    """Return True if `jpeg` would store the file unchanged (eight bits, sequential or progressive); False if unsure.

    It takes a tenth of the time, which matters for small images.
    """
    return raw.startswith(_JFIF) and raw.find(b"\xff\xd9") == len(raw) - 2 and not _NOT_PLAIN.search(raw, 20)


def jpeg(raw: bytes) -> ImageFile:
    """Split the bytes of a JPEG file, which begin with its two magic bytes.

    Raises:
      ValueError: it has no end or no frame header; the message says which, in a few words.
    """
    frame = None
    turn = 1
    pieces = []
    kept_to, position = 0, 2
    while True:
        marker = _JPEG_MARKER.search(raw, position)
        if marker is None:
            raise ValueError("the file is truncated")
        start, data = marker.end() - 2, marker.end() + 2
        code = raw[start + 1]
        if code == _JPEG_END:
            break
        position = marker.end() + int.from_bytes(raw[data - 2 : data], "big")
        if code in _JPEG_FRAMES and frame is None and data + 6 <= len(raw):
            frame = (code, *struct.unpack_from(">BHHB", raw, data))
        elif code == _JPEG_COMMENT or (code in _JPEG_APPLICATION and not _is_kept(raw, code, data)):
            if code == _JPEG_EXIF and raw.startswith(b"Exif\0\0", data) and turn == 1:
                turn = _orientation(raw[data:position])
            pieces.append(raw[kept_to:start])
            kept_to = position
    if frame is None:
        raise ValueError("it has no frame header")
    pieces.append(raw[kept_to : marker.end()])
    process, bits, height, width, channels = frame
    stored = raw if len(pieces) == 1 and marker.end() == len(raw) else b"".join(pieces)
    return ImageFile(stored, width, height, turn, bits, channels, process)


def _is_kept(raw: bytes, code: int, data: int) -> bool:
    return code in _JPEG_KEPT and raw.startswith(_JPEG_KEPT[code], data)


def png(raw: bytes) -> ImageFile:
    """Split the bytes of a PNG file, which begin with its eight magic bytes.

    Raises:
      ValueError: a chunk is cut off or altered; the message says which, in a few words.
    """
    turn = 1
    pieces = [raw[:8]]
    kinds = set()
    position, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", raw, position) if position + 8 <= len(raw) else (0, b"")
        end = position + 8 + length
        if not kind or end + 4 > len(raw):
            raise ValueError("the file is truncated")
        if zlib.crc32(raw[position + 4 : end]) != struct.unpack_from(">I", raw, end)[0]:
            raise ValueError(f"wrong checksum of its {kind.decode('latin1')!r}")
        if kind == b"eXIf":
            turn = _orientation(raw[position + 8 : end])
        elif kind == b"tRNS" or not kind[0] & 0x20:  # a small letter: a decoder can do without
            pieces.append(raw[position : end + 4])
            kinds.add(kind)
        position = end + 4
    if raw[12:16] != b"IHDR" or len(pieces[1]) != 25:
        raise ValueError("it does not begin with its header")
    width, height, bits, colour = struct.unpack_from(">IIBB", raw, 16)
    channels = 4 if colour == 3 and b"tRNS" in kinds else _PNG_CHANNELS.get(colour, 0)
    stored = b"".join(pieces)
    return ImageFile(raw if len(stored) == len(raw) else stored, width, height, turn, bits, channels)


def orientation(exif: Image.Exif) -> int:
    """Return the orientation from 1 to 8; 1 (upright) for any other value, as viewers do."""
    value = exif.get(ExifTags.Base.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _orientation(block: bytes) -> int:
    exif = Image.Exif()
    try:
        exif.load(block)
        return orientation(exif)
    except Exception:  # Pillow raises many kinds of errors for a damaged block, which viewers ignore
        return 1
