"""One picture: from the bytes of a file to the bytes that are stored, its pixels and its statistics.

What is stored is what TensorFlow's decode_image(channels=3, expand_animations=False) turns into the pixels found here:
a JPEG, PNG or BMP file itself where TensorFlow reads it so, else the (first) picture as an RGB PNG. GIF is never kept:
TensorFlow decodes a whole animation for its first frame, blackens what is clear, and fails on files that all others
read. Alpha is dropped, not blended, and EXIF orientation is not applied, because TensorFlow does neither.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

# Tried in this order. A closed list: Pillow's others are rare, and some of them run other programs (EPS).
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "PPM", "AVIF")
MAX_SIDE = 65_535  # pixels; JPEG's own limit. libpng in TensorFlow refuses sides over a million

# Pillow warns of large pictures; here the caller's cap decides, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

_LUMA_SHARES = (0.299, 0.587, 0.114)  # ITU-R BT.601
_LUMA = np.array([299.0, 587.0, 114.0])  # the same in thousandths, so that sums stay whole numbers
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # TensorFlow insists on the end (d9) behind the last scan (da)

_MOMENTS_PIXELS = 2**18  # in one step of `statistics`: bounds its memory to some 20 MB


class Rejected(Exception):  # noqa: N818
    """The picture cannot be used; `reason` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Picture(NamedTuple):
    encoded: bytes  # what is stored
    pixels: np.ndarray  # uint8 [height, width, 3]
    channels: int  # bands as found: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha (or CMYK)


def read(raw: bytes, max_bytes: int, max_pixels: int) -> Picture:
    """Decodes the bytes of a picture file.

    Raises:
      Rejected: it is empty, no picture, damaged, or over `max_bytes` or `max_pixels` (height x width).
    """
    if not raw:
        raise Rejected("empty file")
    if len(raw) > max_bytes:
        raise Rejected(f"over the limit of {max_bytes:,} bytes")
    picture = _usual_jpeg(raw, max_pixels)
    if picture:
        return picture
    try:
        image = Image.open(io.BytesIO(raw), formats=FORMATS)
    except UnidentifiedImageError:
        raise Rejected("not a picture") from None
    except Exception as error:  # a damaged header makes Pillow raise nearly anything
        raise Rejected(f"damaged picture: {_line(error)}") from None
    width, height = image.size
    if width < 1 or height < 1:
        raise Rejected(f"no pixels: {width} x {height}")
    if width * height > max_pixels:
        raise Rejected(f"{width} x {height} is over the limit of {max_pixels:,} pixels")
    if max(width, height) > MAX_SIDE:
        raise Rejected(f"{width} x {height} is over the limit of {MAX_SIDE:,} pixels a side")
    try:
        as_found = _tensorflow_agrees(image, raw)
        channels = _channels(image)
        pixels = _rgb(image)
    except Rejected:
        raise
    except Exception as error:
        raise Rejected(f"damaged picture: {_line(error)}") from None
    return Picture(raw if as_found else _compressed_png(pixels), pixels, channels)


def servable(raw: bytes, max_bytes: int, max_pixels: int) -> bytes:
    """The picture file as bytes that the exported model decodes to the same pixels as the training data.

    Raises:
      Rejected: see `read`.
    """
    return read(raw, max_bytes, max_pixels).encoded


def _usual_jpeg(raw: bytes, max_pixels: int) -> Picture | None:
    """A JPEG without anything unusual, in a fourth of the time that Pillow takes for 32 x 32; the same pixels."""
    if not raw.startswith(b"\xff\xd8"):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(raw)
        if colours not in ("YCbCr", "Gray") or not 0 < height * width <= max_pixels or not _ends_after_scan(raw):
            return None
        pixels = simplejpeg.decode_jpeg(raw, fastdct=False, fastupsample=False)  # strict: it raises where it warns
    except ValueError:
        return None
    return Picture(raw, pixels, 1 if colours == "Gray" else 3)


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _tensorflow_agrees(image: Image.Image, raw: bytes) -> bool:
    """Whether TensorFlow decodes the file itself, to the pixels that Pillow finds (before they are loaded)."""
    kind = image.format
    if kind in ("JPEG", "MPO"):  # MPO: a JPEG with more pictures behind it, as some cameras write
        return image.mode in ("L", "RGB") and _ends_after_scan(raw)
    if kind == "PNG":
        _check_png(raw)
        return True
    if kind == "BMP":  # 24 bits, no compression, no gap; TensorFlow takes a palette's indices for grey values
        start, width, height, bits, compression = struct.unpack_from("<IxxxxiixxHI", raw, 10)
        row = (3 * width + 3) // 4 * 4
        return (bits, compression) == (24, 0) and start + row * abs(height) == len(raw)
    return False


def _ends_after_scan(jpeg: bytes) -> bool:
    after_scan = _JPEG_MARKER.search(jpeg, jpeg.rfind(b"\xff\xda") + 2)
    return after_scan is not None and after_scan[0] == b"\xff\xd9"


def _check_png(raw: bytes) -> None:
    """Raises Rejected where a chunk is cut off or altered: Pillow forgives more of that than TensorFlow does."""
    position, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", raw, position) if position + 8 <= len(raw) else (0, b"")
        end = position + 8 + length
        if not kind or end + 4 > len(raw):
            raise Rejected("damaged picture: the file is truncated")
        if zlib.crc32(raw[position + 4 : end]) != struct.unpack_from(">I", raw, end)[0]:
            raise Rejected(f"damaged picture: wrong checksum of its {kind.decode('latin1')!r}")
        position = end + 4


def _channels(image: Image.Image) -> int:
    if image.mode in ("P", "PA"):
        return 4 if "transparency" in image.info or image.mode == "PA" else 3
    return len(image.getbands())


def _rgb(image: Image.Image) -> np.ndarray:
    """uint8 [height, width, 3] of the first frame."""
    image.load()
    if image.mode == "RGB":
        return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, 3)  # quicker than asarray
    if image.mode.startswith("I;16"):  # Pillow would clip, libpng keeps the high byte
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise Rejected("its pixels are 32-bit numbers of unknown range")
    image.info.pop("transparency", None)  # alpha is dropped
    return np.asarray(image.convert("RGB"))


def _compressed_png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def stored_png(pixels: np.ndarray) -> bytes:
    """The picture uint8 [height, width, 3] as PNG without compression.

    For small raw pictures, of which there are many: 9 microseconds for 32 x 32 where Pillow takes 60 to 110, quicker
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


def statistics(pixels: np.ndarray) -> np.ndarray:
    """float64 [N, 4] of uint8 [N, H, W, 3]: brightness, contrast, sharpness, colourfulness (components/features.py).

    All four follow from sums of whole numbers, which float64 holds exactly: a picture's statistics do not depend on
    what it was batched with.
    """
    count, height, width, _ = pixels.shape
    first = np.zeros((count, 3))
    second = np.zeros((count, 3, 3))
    steps = np.zeros(count)
    rows = max(1, _MOMENTS_PIXELS // (count * width))
    for top in range(0, height, rows):
        band = pixels[:, top : top + rows + 1].astype(np.float64)  # and the next row, for the steps down
        planes = np.ascontiguousarray(band.reshape(count, -1, 3).transpose(0, 2, 1))
        luma = (_LUMA @ planes).reshape(band.shape[:3])
        steps += np.abs(np.diff(luma, axis=1)).sum((1, 2))
        steps += np.abs(np.diff(luma[:, :rows], axis=2)).sum((1, 2))
        planes = planes[:, :, : rows * width]
        first += planes.sum(2)
        second += planes @ planes.transpose(0, 2, 1)
    mean = (first / (height * width)).T
    square = (second / (height * width)).transpose(1, 2, 0)

    def average(weights: tuple[float, float, float]) -> np.ndarray:
        return sum(weight * band for weight, band in zip(weights, mean))

    def spread(weights: tuple[float, float, float]) -> np.ndarray:
        """Standard deviation of the weighted sum of R, G and B."""
        pairs = [(i, j) for i in range(3) for j in range(3)]
        variance = sum(weights[i] * weights[j] * (square[i, j] - mean[i] * mean[j]) for i, j in pairs)
        return np.sqrt(np.maximum(variance, 0))

    brightness, contrast = average(_LUMA_SHARES), spread(_LUMA_SHARES)
    sharpness = steps / max(1, (height - 1) * width + height * (width - 1)) / 1000
    red_green, yellow_blue = (1, -1, 0), (0.5, 0.5, -1)
    colour = np.hypot(spread(red_green), spread(yellow_blue))
    colour += 0.3 * np.hypot(average(red_green), average(yellow_blue))
    return np.stack([brightness, contrast, sharpness, colour], axis=1) / 255
