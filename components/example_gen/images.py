"""One image: from the bytes of a file to the bytes that are stored, and the pixels that TensorFlow finds in them.

The stored image is a JPEG, PNG or BMP that TensorFlow decodes to exactly the pixels found here, by the operation that
Transform and the exported model run: decode_image(channels=3, expand_animations=False). It is the original file without
metadata (image_files.py) if TensorFlow decodes such files like other decoders; else the (first) image as an RGB PNG.
GIF is never stored as it is: TensorFlow decodes a whole animation for its first frame, blackens what is clear, and
fails on files that all others read. Alpha is dropped, not blended, because TensorFlow does so. EXIF orientation, which
TensorFlow ignores, is applied: the stored image is upright.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

from components.example_gen import heif, image_files, unreadable
from components.example_gen.rejected import Rejected

# Tried in this order. A closed list: Pillow's others are rare, and some of them run other programs (EPS).
FORMATS = ("GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "PPM", "AVIF", "JPEG")
MAX_SIDE = 65_535  # pixels; JPEG's own limit. libpng in TensorFlow refuses sides over a million

# Pillow warns of large images; here the caller's cap decides, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_COLOURS = {
    "Gray": 1,
    "YCbCr": 3,
}  # of those JPEG files that simplejpeg decodes as TensorFlow does, with their channels
_PROCESSES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # sequential and progressive, in Huffman's and in arithmetic code
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
_QUALITY = 95  # of a JPEG that had to be turned
# Steps through rows and columns, by EXIF's orientation from 1 to 8, once those from 5 on have been swapped.
_DOWN = (0, 1, 1, -1, -1, 1, 1, -1, -1)
_RIGHT = (0, 1, -1, -1, 1, 1, -1, -1, 1)
_LOW = 4095  # the largest value of 12 bits: what some cameras and scanners write into 16


class StoredImage(NamedTuple):
    encoded: bytes  # what is stored
    pixels: np.ndarray  # uint8 [height, width, 3]
    channels: int  # bands as found: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha (or CMYK)
    turned: bool = False  # to be upright, as its EXIF orientation says: its pixels were re-encoded


def read(raw: bytes, max_bytes: int, max_pixels: int) -> StoredImage:
    """Decode the bytes of an image file.

    Raises:
      Rejected: it is empty, no image, damaged, or over `max_bytes` or `max_pixels` (height x width).
    """
    if not raw:
        raise Rejected("empty file")
    if len(raw) > max_bytes:
        raise Rejected(f"over the limit of {max_bytes:,} bytes (data.max_bytes)")
    reader = _jpeg if raw.startswith(_JPEG) else _png if raw.startswith(_PNG) else _by_pillow
    try:
        return reader(raw, max_pixels)
    except Rejected:
        raise
    except Exception as error:  # Pillow raises many kinds of errors for damaged files
        raise Rejected(f"damaged image: {_line(error)}") from None


def canonical_bytes(raw: bytes, max_bytes: int, max_pixels: int) -> bytes:
    """Return the image file as bytes that the exported model decodes to the same pixels as the training data.

    Raises:
      Rejected: see `read`.
    """
    return read(raw, max_bytes, max_pixels).encoded


def _fast_jpeg(raw: bytes, max_pixels: int) -> StoredImage | None:
    """Return the result of `_jpeg` for a file without anything unusual; None for others."""
    if not image_files.is_plain_jpeg(raw):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(raw)
        if colours not in _COLOURS or not 0 < height * width <= max_pixels:
            return None
        return StoredImage(raw, simplejpeg.decode_jpeg(raw, fastdct=True, fastupsample=False), _COLOURS[colours])
    except ValueError:
        return None


def _jpeg(raw: bytes, max_pixels: int) -> StoredImage:
    if image := _fast_jpeg(raw, max_pixels):
        return image
    file = image_files.jpeg(raw)
    _check_size(file.width, file.height, max_pixels)
    if file.bits != 8 or file.process not in _PROCESSES:
        kind = "lossless" if file.process in _LOSSLESS else "hierarchical" if file.bits == 8 else f"{file.bits}-bit"
        raise Rejected(f"a {kind} JPEG, which cannot be read: convert it to a baseline JPEG of 8 bits")
    if file.channels not in (1, 3):  # CMYK, of which TensorFlow makes other colours
        return _by_pillow(raw, max_pixels)
    stored = file.stored
    if file.orientation != 1:
        # As little as possible is lost: the pixels are found accurately, and the colours stored in full resolution.
        upright = _upright(_jpeg_pixels(stored, fast=False), file.orientation)
        grey = file.channels == 1
        upright = upright[..., :1].copy() if grey else upright
        stored = simplejpeg.encode_jpeg(upright, _QUALITY, *(("GRAY", "Gray") if grey else ("RGB", "444")))
    return StoredImage(stored, _jpeg_pixels(stored), file.channels, file.orientation != 1)


def _jpeg_pixels(jpeg: bytes, fast: bool = True) -> np.ndarray:
    """Return the pixels that TensorFlow finds: by the same library and settings, in a tenth of the time.

    Args:
      fast: with the inexact transform that TensorFlow uses; else the exact one, where nothing is unusual.
    """
    try:
        colours = simplejpeg.decode_jpeg_header(jpeg)[2]
        if colours in _COLOURS:
            # Strict: it raises where libjpeg warns, and TensorFlow decides the unusual cases.
            return simplejpeg.decode_jpeg(jpeg, fastdct=fast, fastupsample=False)
    except ValueError as error:
        try:
            return _tensorflow_pixels(jpeg)
        except Rejected:
            raise Rejected(f"damaged image: {_line(error)}") from None
    return _tensorflow_pixels(jpeg)


def _png(raw: bytes, max_pixels: int) -> StoredImage:
    file = image_files.png(raw)
    _check_size(file.width, file.height, max_pixels)
    pixels, stored = _tensorflow_pixels(file.stored), file.stored
    if file.bits == 16 and pixels.max() <= _LOW >> 8:
        pixels, stored = _eight_bits(_tensorflow_deep_pixels(stored)), b""
    if file.orientation != 1:
        pixels, stored = _upright(pixels, file.orientation), b""
    return StoredImage(stored or _compressed_png(pixels), pixels, file.channels, file.orientation != 1)


def _tensorflow_pixels(encoded: bytes) -> np.ndarray:
    import tensorflow as tf

    try:
        return tf.raw_ops.DecodeImage(contents=tf.constant(encoded), channels=3, expand_animations=False).numpy()
    except tf.errors.InvalidArgumentError:  # its message says no more
        raise Rejected("damaged image: its data is cut short or inconsistent") from None


def _tensorflow_deep_pixels(png: bytes) -> np.ndarray:
    import tensorflow as tf

    return tf.io.decode_png(png, channels=3, dtype=tf.uint16).numpy()


def _eight_bits(deep: np.ndarray) -> np.ndarray:
    """Return the upper eight bits of uint16 values, or of their lower twelve bits if no value needs more."""
    return (deep >> (4 if deep.max() <= _LOW else 8)).astype(np.uint8)


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise Rejected(f"no pixels: {width} x {height}")
    if width * height > max_pixels:
        raise Rejected(f"{width} x {height} is over the limit of {max_pixels:,} pixels (data.max_pixels)")
    if max(width, height) > MAX_SIDE:
        raise Rejected(f"{width} x {height} is over the limit of {MAX_SIDE:,} pixels a side")


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return the pixels [H, W, 3] of an image, turned as EXIF's `orientation` says."""
    if orientation >= 5:  # it lies on its side
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: _DOWN[orientation], :: _RIGHT[orientation]])


def _by_pillow(raw: bytes, max_pixels: int) -> StoredImage:
    formats = (*FORMATS, "HEIF") if heif.is_heif(raw) and heif.is_readable() else FORMATS
    try:
        image = Image.open(io.BytesIO(raw), formats=formats)
    except Exception:  # Pillow does not know it, or knows it and stumbles over its damage
        raise Rejected(unreadable.reason(raw)) from None
    _check_size(*image.size, max_pixels)
    channels = _channels(image)
    if image.format == "BMP" and _is_plain_bmp(raw):
        return StoredImage(raw, _tensorflow_pixels(raw), channels)
    if image.format == "TIFF" and unreadable.is_preview(raw, image):
        raise Rejected(unreadable.CAMERA_RAW)
    orientation = image_files.orientation(image.getexif())
    pixels = _rgb(image)
    if image.format == "HEIF":  # upright already
        orientation = image.info.get("original_orientation") or 1
    elif image.format != "TIFF":  # which Pillow turns itself
        pixels = _upright(pixels, orientation)
    return StoredImage(_compressed_png(pixels), pixels, channels, turned=orientation != 1)


def _is_plain_bmp(raw: bytes) -> bool:
    """Return True if it has 24 bits, no compression and no gap; TensorFlow reads a palette's indices as grey values."""
    start, width, height, bits, compression = struct.unpack_from("<IxxxxiixxHI", raw, 10)
    row = (3 * width + 3) // 4 * 4
    return (bits, compression) == (24, 0) and start + row * abs(height) == len(raw)


def _channels(image: Image.Image) -> int:
    if image.mode in ("P", "PA"):
        return 4 if "transparency" in image.info or image.mode == "PA" else 3
    return len(image.getbands())


def _rgb(image: Image.Image) -> np.ndarray:
    """Return the first frame, uint8 [height, width, 3]."""
    image.load()
    if image.mode == "RGB":
        pixels = np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, 3)
        if image.format == "TIFF" and max(image.tag_v2.get(258, (8,))) == 16 and 0 < pixels.max() <= _LOW >> 8:  # type: ignore[attr-defined]
            raise Rejected("its 16-bit colours use 12 bits or fewer: convert it to 8 bits")  # Pillow cut the rest off
        return pixels
    if image.mode.startswith("I;16"):  # Pillow would clip
        return np.repeat(_eight_bits(np.asarray(image).astype(np.uint16))[..., None], 3, axis=2)
    if image.mode == "I" and image.format == "PPM":  # which Pillow spreads over 16 bits
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise Rejected("its pixels are 32-bit numbers of unknown range: convert it to 8 bits")
    image.info.pop("transparency", None)  # alpha is dropped
    return np.asarray(image.convert("RGB"))


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _compressed_png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def stored_png(pixels: np.ndarray) -> bytes:
    """Encode pixels uint8 [height, width, 3] as PNG without compression.

    For small raw images, of which there are many: 9 microseconds for 32 x 32 where Pillow takes 60 to 110, quicker
    to decode too, and no more than a third larger.
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row is led by its filter: none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
