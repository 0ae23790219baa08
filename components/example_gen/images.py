"""The stored form of an image: the bytes of a JPEG, PNG or BMP, and the pixels that TensorFlow finds in them.

The stored image is one that TensorFlow decodes to exactly the pixels found here, by the operation that Transform and
the exported model run: decode_image(channels=3, expand_animations=False). It is the original file without metadata
(image_files.py) if TensorFlow decodes such files like other decoders (decoding.py); else the (first) image as an RGB
PNG. EXIF orientation, which TensorFlow ignores, is applied: the stored image is upright. Images over `data.max_side`
are stored as reduced JPEGs.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from components.example_gen import decoding, encoding, reduction
from components.example_gen.decoding import MAX_SIDE, Decoded
from components.example_gen.rejected import Rejected

# Of a JPEG that had to be turned: as little as possible is lost, its pixels are found accurately.
_TURNED_QUALITY = 95
_REDUCED_QUALITY = 90  # a higher one brings nothing: TensorFlow's inexact transform then loses more
# Steps through rows and columns, by EXIF's orientation from 1 to 8, once those from 5 on have been swapped.
_DOWN = (0, 1, 1, -1, -1, 1, 1, -1, -1)
_RIGHT = (0, 1, -1, -1, 1, 1, -1, -1, 1)
_ON_ITS_SIDE = 5  # the least of the orientations that swap height and width


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
    try:
        image = decoding.decode(raw, max_pixels, max_side)
        if max(image.size) > max_side:
            return _reduced(image, max_side)._replace(original_sha256=hashlib.sha256(raw).hexdigest())
        return _stored(image)
    except Rejected:
        raise
    except Exception as error:
        raise Rejected(f"damaged image: {decoding.error_line(error)}") from None


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
    decoding.check_size(width, height, max_pixels)
    if max(height, width) > max_side:
        return _reduced(Decoded(pixels, 3), max_side)
    return StoredImage(encoding.stored_png(pixels), pixels, 3)


def _stored(image: Decoded) -> StoredImage:
    """Return the image upright, at its size: the file itself where it can be, or encoded again."""
    pixels, file = image.pixels, image.file
    if image.orientation != 1:
        pixels = _upright(pixels, image.orientation)
        if file.startswith(decoding.JPEG):
            file = encoding.jpeg(pixels, _TURNED_QUALITY, grey=image.channels == 1)
            pixels = decoding.jpeg_pixels(file)
        else:
            file = b""
    turned = image.turned or image.orientation != 1
    return StoredImage(file or encoding.compressed_png(pixels), pixels, image.channels, turned)


def _reduced(image: Decoded, max_side: int) -> StoredImage:
    """Return the image upright, its longer side `max_side` pixels, as a JPEG."""
    pixels = _upright(reduction.resized(image.pixels, max_side), image.orientation)
    encoded = encoding.jpeg(pixels, _REDUCED_QUALITY, grey=image.channels <= 2)
    height, width = image.size
    size = (height, width) if image.orientation < _ON_ITS_SIDE else (width, height)
    turned = image.turned or image.orientation != 1
    return StoredImage(encoded, decoding.jpeg_pixels(encoded), image.channels, turned, size)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return the pixels [H, W, 3] of an image, turned as EXIF's `orientation` says."""
    if orientation >= _ON_ITS_SIDE:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: _DOWN[orientation], :: _RIGHT[orientation]])
