"""One image: from the bytes of a file to the bytes that are stored, and the pixels that TensorFlow finds in them.

The stored image is a JPEG, PNG or BMP that TensorFlow decodes to exactly the pixels found here, by the operation that
Transform and the exported model run: decode_image(channels=3, expand_animations=False). It is the original file without
metadata (image_files.py) if TensorFlow decodes such files like other decoders; else the (first) image as an RGB PNG.
GIF is never stored as it is: TensorFlow decodes a whole animation for its first frame, blackens what is clear, and
fails on files that all others read. Alpha is dropped, not blended, because TensorFlow does so. EXIF orientation, which
TensorFlow ignores, is applied: the stored image is upright. Images over `data.max_side` are stored as reduced
JPEGs.
"""

from __future__ import annotations

import hashlib
import io
import struct
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

from components.example_gen import encoding, heif, image_files, reduction, unreadable
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
# Of a JPEG that had to be turned: as little as possible is lost, its pixels are found accurately.
_TURNED_QUALITY = 95
_REDUCED_QUALITY = 90  # a higher one brings nothing: TensorFlow's inexact transform then loses more
_SMALL_BYTES = 1 << 16  # of a file, up to which image_files.is_plain_jpeg is quicker than image_files.jpeg
# Steps through rows and columns, by EXIF's orientation from 1 to 8, once those from 5 on have been swapped.
_DOWN = (0, 1, 1, -1, -1, 1, 1, -1, -1)
_RIGHT = (0, 1, -1, -1, 1, 1, -1, -1, 1)
_ON_ITS_SIDE = 5  # the least of the orientations that swap height and width
_LOW = 4095  # the largest value of 12 bits: what some cameras and scanners write into 16


class StoredImage(NamedTuple):
    encoded: bytes  # what is stored
    pixels: np.ndarray  # uint8 [height, width, 3], of `encoded`
    channels: int  # bands as found: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha (or CMYK)
    turned: bool = False  # to be upright, as its EXIF orientation says: its pixels were re-encoded
    original_size: tuple[int, int] | None = None  # height and width before it was reduced, upright; None if it was not
    original_sha256: str = ""  # of the file that was reduced

    @property
    def size(self) -> tuple[int, int]:
        """The height and width of the image as found, upright."""
        height, width, _ = self.pixels.shape
        return self.original_size or (height, width)


class _Decoded(NamedTuple):
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


def read(raw: bytes, max_bytes: int, max_pixels: int, max_side: int = MAX_SIDE) -> StoredImage:
    """Decode the bytes of an image file.

    Args:
      raw: the file.
      max_bytes: of the file.
      max_pixels: height x width.
      max_side: pixels of the longer side, to which a larger image is reduced.

    Raises:
      Rejected: it is empty, no image, damaged, or over `max_bytes` or `max_pixels` (height x width).
    """
    if not raw:
        raise Rejected("empty file")
    if len(raw) > max_bytes:
        raise Rejected(f"over the limit of {max_bytes:,} bytes (data.max_bytes)")
    reader = _jpeg if raw.startswith(_JPEG) else _png if raw.startswith(_PNG) else _by_pillow
    try:
        image = reader(raw, max_pixels, max_side)
        if max(image.size) > max_side:
            return _reduced(image, max_side)._replace(original_sha256=hashlib.sha256(raw).hexdigest())
        return _stored(image)
    except Rejected:
        raise
    except Exception as error:  # Pillow raises many kinds of errors for damaged files
        raise Rejected(f"damaged image: {_line(error)}") from None


def canonical_bytes(raw: bytes, max_bytes: int, max_pixels: int, max_side: int = MAX_SIDE) -> bytes:
    """Return the image file as bytes that the exported model decodes to the same pixels as the training data.

    Raises:
      Rejected: see `read`.
    """
    return read(raw, max_bytes, max_pixels, max_side).encoded


def from_pixels(pixels: np.ndarray, max_pixels: int, max_side: int = MAX_SIDE) -> StoredImage:
    """Return an image that comes without a file: uint8 [height, width, 3].

    Raises:
      Rejected: it has no pixels, or is over `max_pixels`.
    """
    height, width, _ = pixels.shape
    _check_size(width, height, max_pixels)
    if max(height, width) > max_side:
        return _reduced(_Decoded(pixels, 3), max_side)
    return StoredImage(encoding.stored_png(pixels), pixels, 3)


def _stored(image: _Decoded) -> StoredImage:
    """Return the image upright, at its size: the file itself where it can be, or encoded again."""
    pixels, file = image.pixels, image.file
    if image.orientation != 1:
        pixels = _upright(pixels, image.orientation)
        if file.startswith(_JPEG):
            file = encoding.jpeg(pixels, _TURNED_QUALITY, grey=image.channels == 1)
            pixels = _jpeg_pixels(file)
        else:
            file = b""
    turned = image.turned or image.orientation != 1
    return StoredImage(file or encoding.compressed_png(pixels), pixels, image.channels, turned)


def _reduced(image: _Decoded, max_side: int) -> StoredImage:
    """Return the image upright, its longer side `max_side` pixels, as a JPEG."""
    pixels = _upright(reduction.resized(image.pixels, max_side), image.orientation)
    encoded = encoding.jpeg(pixels, _REDUCED_QUALITY, grey=image.channels <= 2)
    height, width = image.size
    size = (height, width) if image.orientation < _ON_ITS_SIDE else (width, height)
    turned = image.turned or image.orientation != 1
    return StoredImage(encoded, _jpeg_pixels(encoded), image.channels, turned, size)


def _fast_jpeg(raw: bytes, max_pixels: int, max_side: int) -> _Decoded | None:
    """Return the result of `_jpeg` for a small file without anything unusual; None for others."""
    if len(raw) > _SMALL_BYTES or not image_files.is_plain_jpeg(raw):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(raw)
        if colours not in _COLOURS or not 0 < height * width <= max_pixels or max(height, width) > max_side:
            return None
        pixels = simplejpeg.decode_jpeg(raw, fastdct=True, fastupsample=False)
        return _Decoded(pixels, _COLOURS[colours], file=raw)
    except ValueError:
        return None


def _jpeg(raw: bytes, max_pixels: int, max_side: int) -> _Decoded:
    if image := _fast_jpeg(raw, max_pixels, max_side):
        return image
    file = image_files.jpeg(raw)
    _check_size(file.width, file.height, max_pixels)
    if file.bits != 8 or file.process not in _PROCESSES:
        kind = "lossless" if file.process in _LOSSLESS else "hierarchical" if file.bits == 8 else f"{file.bits}-bit"
        raise Rejected(f"a {kind} JPEG, which cannot be read: convert it to a baseline JPEG of 8 bits")
    if file.channels not in (1, 3):  # CMYK, of which TensorFlow makes other colours
        return _by_pillow(raw, max_pixels, max_side)
    size = file.height, file.width
    if max(size) > max_side:
        pixels = _jpeg_pixels(file.stored, least=reduction.decoded_size(*size, max_side))
        return _Decoded(pixels, file.channels, file.orientation, full_size=size)
    pixels = _jpeg_pixels(file.stored, fast=file.orientation == 1)
    return _Decoded(pixels, file.channels, file.orientation, file.stored)


def _jpeg_pixels(jpeg: bytes, fast: bool = True, least: tuple[int, int] = (0, 0)) -> np.ndarray:
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
            raise Rejected(f"damaged image: {_line(error)}") from None
    return _tensorflow_pixels(jpeg)


def _png(raw: bytes, max_pixels: int, max_side: int) -> _Decoded:
    file = image_files.png(raw)
    _check_size(file.width, file.height, max_pixels)
    pixels, stored = _tensorflow_pixels(file.stored), file.stored
    if file.bits == 16 and pixels.max() <= _LOW >> 8:
        pixels, stored = _eight_bits(_tensorflow_deep_pixels(stored)), b""
    return _Decoded(pixels, file.channels, file.orientation, stored)


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
    if orientation >= _ON_ITS_SIDE:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: _DOWN[orientation], :: _RIGHT[orientation]])


def _by_pillow(raw: bytes, max_pixels: int, max_side: int) -> _Decoded:
    formats = (*FORMATS, "HEIF") if heif.is_heif(raw) and heif.is_readable() else FORMATS
    try:
        image = Image.open(io.BytesIO(raw), formats=formats)
    except Exception:  # Pillow does not know it, or knows it and stumbles over its damage
        raise Rejected(unreadable.reason(raw)) from None
    _check_size(*image.size, max_pixels)
    channels = _channels(image)
    if image.format == "BMP" and _is_plain_bmp(raw):
        return _Decoded(_tensorflow_pixels(raw), channels, file=raw)
    if image.format == "TIFF" and unreadable.is_preview(raw, image):
        raise Rejected(unreadable.CAMERA_RAW)
    orientation = image_files.orientation(image.getexif())
    pixels = _rgb(image)
    if image.format in ("TIFF", "HEIF"):  # upright already
        if image.format == "HEIF":
            orientation = image.info.get("original_orientation") or 1
        return _Decoded(pixels, channels, turned=orientation != 1)
    return _Decoded(pixels, channels, orientation)


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
