"""One image file decoded: its pixels, and whether TensorFlow finds the same in the file itself.

GIF is never kept as it is: TensorFlow decodes a whole animation for its first frame, blackens what is clear, and fails
on files that all others read. Alpha is dropped, not blended, because TensorFlow does so.
"""

from __future__ import annotations

import contextlib
import io
import struct
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

from components.example_gen import heif, image_files, reduction, unreadable
from components.example_gen.rejected import Rejected

JPEG = b"\xff\xd8"  # how a file begins
MAX_SIDE = 65_535  # pixels; JPEG's own limit. libpng in TensorFlow refuses sides over a million

# Pillow warns of large images; here the caller's cap decides, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

# Tried in this order. A closed list: Pillow's others are rare, and some of them run other programs (EPS).
_FORMATS = ("GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "PPM", "AVIF", "JPEG")
_PNG = b"\x89PNG\r\n\x1a\n"
_COLOURS = {
    "Gray": 1,
    "YCbCr": 3,
}  # of those JPEG files that simplejpeg decodes as TensorFlow does, with their channels
_PROCESSES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # sequential and progressive, in Huffman's and in arithmetic code
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
_SMALL_BYTES = 1 << 16  # of a file, up to which image_files.is_plain_jpeg is quicker than image_files.jpeg
_LOW = 4095  # the largest value of 12 bits: what some cameras and scanners write into 16


class Decoded(NamedTuple):
    """An image that is not turned yet."""

    pixels: np.ndarray  # uint8 [height, width, 3]; of a JPEG that is to be reduced possibly at a fraction of its size
    channels: int
    orientation: int = 1
    file: bytes = b""  # that TensorFlow decodes to `pixels`, to be stored as it is; empty if there is none
    turned: bool = False  # by the decoder
    full_size: tuple[int, int] | None = None  # where `pixels` are a fraction of it

    @property
    def size(self) -> tuple[int, int]:
        """The height and width, as they lie."""
        height, width, _ = self.pixels.shape
        return self.full_size or (height, width)


def decode(raw: bytes, max_pixels: int, max_side: int) -> Decoded:
    """Decode the bytes of an image file. What is damaged raises many kinds of errors, of Pillow's and others.

    Args:
      raw: the file.
      max_pixels: height x width.
      max_side: pixels of the longer side, to which the caller reduces a larger image.

    Raises:
      Rejected: it is no image, of a kind that cannot be read, or over `max_pixels`.
    """
    reader = _jpeg if raw.startswith(JPEG) else _png if raw.startswith(_PNG) else _by_pillow
    return reader(raw, max_pixels, max_side)


def header_size(raw: bytes) -> tuple[int, int] | None:
    """Return the width and height of an image file as they lie, from its headers; None if they cannot be read."""
    with contextlib.suppress(Exception):
        return Image.open(io.BytesIO(raw), formats=(*_formats(raw), "PNG")).size
    return None


def check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise Rejected(f"no pixels: {width} x {height}")
    if width * height > max_pixels:
        raise Rejected(f"{width} x {height} is over the limit of {max_pixels:,} pixels (data.max_pixels)")
    if max(width, height) > MAX_SIDE:
        raise Rejected(f"{width} x {height} is over the limit of {MAX_SIDE:,} pixels a side")


def _fast_jpeg(raw: bytes, max_pixels: int, max_side: int) -> Decoded | None:
    """Return the result of `_jpeg` for a small file without anything unusual; None for others."""
    if len(raw) > _SMALL_BYTES or not image_files.is_plain_jpeg(raw):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(raw)
        if colours not in _COLOURS or not 0 < height * width <= max_pixels or max(height, width) > max_side:
            return None
        pixels = simplejpeg.decode_jpeg(raw, fastdct=True, fastupsample=False)
        return Decoded(pixels, _COLOURS[colours], file=raw)
    except ValueError:
        return None


def _jpeg(raw: bytes, max_pixels: int, max_side: int) -> Decoded:
    if image := _fast_jpeg(raw, max_pixels, max_side):
        return image
    file = image_files.jpeg(raw)
    check_size(file.width, file.height, max_pixels)
    if file.bits != 8 or file.process not in _PROCESSES:
        kind = "lossless" if file.process in _LOSSLESS else "hierarchical" if file.bits == 8 else f"{file.bits}-bit"
        raise Rejected(f"a {kind} JPEG, which cannot be read: convert it to a baseline JPEG of 8 bits")
    if file.channels not in (1, 3):  # CMYK, of which TensorFlow makes other colours
        return _by_pillow(raw, max_pixels, max_side)
    size = file.height, file.width
    if max(size) > max_side:
        pixels = jpeg_pixels(file.stored, least=reduction.decoded_size(*size, max_side))
        return Decoded(pixels, file.channels, file.orientation, full_size=size)
    pixels = jpeg_pixels(file.stored, fast=file.orientation == 1)
    return Decoded(pixels, file.channels, file.orientation, file.stored)


def jpeg_pixels(jpeg: bytes, fast: bool = True, least: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Return the pixels that TensorFlow finds: by the same library and settings, in a tenth of the time.

    Args:
      jpeg: the file.
      fast: with the inexact transform that TensorFlow uses; else the exact one, where nothing is unusual.
      least: the height and width that the caller needs: the image may be decoded to a fraction of its size that is not
        below it.
    """
    try:
        colours = simplejpeg.decode_jpeg_header(jpeg)[2]
        if colours in _COLOURS:
            # Strict: it raises where libjpeg warns, and TensorFlow decides the unusual cases.
            return simplejpeg.decode_jpeg(
                jpeg, fastdct=fast, fastupsample=False, min_height=least[0], min_width=least[1]
            )
    except ValueError as error:
        try:
            return _tensorflow_pixels(jpeg)
        except Rejected:
            raise Rejected(f"damaged image: {error_line(error)}") from None
    return _tensorflow_pixels(jpeg)


def _png(raw: bytes, max_pixels: int, max_side: int) -> Decoded:
    file = image_files.png(raw)
    check_size(file.width, file.height, max_pixels)
    pixels, stored = _tensorflow_pixels(file.stored), file.stored
    if file.bits == 16 and pixels.max() <= _LOW >> 8:
        pixels, stored = _eight_bits(_tensorflow_deep_pixels(stored)), b""
    return Decoded(pixels, file.channels, file.orientation, stored)


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


def _by_pillow(raw: bytes, max_pixels: int, max_side: int) -> Decoded:
    try:
        image = Image.open(io.BytesIO(raw), formats=_formats(raw))
    except Exception:  # Pillow does not know it, or knows it and stumbles over its damage
        raise Rejected(unreadable.reason(raw)) from None
    check_size(*image.size, max_pixels)
    channels = _channels(image)
    if image.format == "BMP" and _is_plain_bmp(raw):
        return Decoded(_tensorflow_pixels(raw), channels, file=raw)
    if image.format == "TIFF" and unreadable.is_preview(raw, image):
        raise Rejected(unreadable.CAMERA_RAW)
    orientation = image_files.orientation(image.getexif())
    pixels = _rgb(image)
    if image.format in ("TIFF", "HEIF"):  # upright already
        if image.format == "HEIF":
            orientation = image.info.get("original_orientation") or 1
        return Decoded(pixels, channels, turned=orientation != 1)
    return Decoded(pixels, channels, orientation)


def _formats(raw: bytes) -> tuple[str, ...]:
    return (*_FORMATS, "HEIF") if heif.is_heif(raw) and heif.is_readable() else _FORMATS


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


def error_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type."""
    return (str(error) or type(error).__name__).splitlines()[0]
