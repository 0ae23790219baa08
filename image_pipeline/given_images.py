"""The images that a model is given in Python, each as the reader of an encoded image."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from components.errors import UserError
from components.text import printable
from image_pipeline.gallery import Gallery, Item
from pipeline.prediction import reading
from pipeline.prediction.reading import Limits, Reader

TAKEN = (
    "the path of an image or folder, a uint8 array [H, W, 3], [H, W] or [N, H, W, 3], a PIL image, an encoded image "
    "in bytes, or a list of these"
)
_AS_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # modes that Pillow writes as PNG


class Given(NamedTuple):
    """Images to answer.

    Attributes:
      images: of each its path, or None, and what reads it.
      alone: whether one image was given, not one of several.
    """

    images: list[tuple[str | None, Reader]]
    alone: bool


def read(given: Any) -> Given:
    """Return the images that `given` has; what it holds is read later.

    Raises:
      UserError: it is nothing that `predict` takes.
    """
    if isinstance(given, list | tuple | Gallery) or _is_column(given):
        return Given([image for each in given for image in _images(each)], False)
    several = _is_folder(given) or _is_batch(given)
    return Given(list(_images(given)), not several)


def _images(given: Any) -> Iterator[tuple[str | None, Reader]]:
    """Yield the path and the reader of each image of something that is no list."""
    if isinstance(given, str | os.PathLike):
        named = None if _is_folder(given) else os.fsdecode(given)
        for file, reader in reading.files([_path(given)]):
            yield named or str(file), reader
    elif isinstance(given, bytes | bytearray | memoryview):
        raw = bytes(given)
        yield None, lambda limits: reading.canonical(raw, limits)
    elif isinstance(given, Item):
        yield given.source, lambda limits: reading.canonical(given.encoded, limits)
    elif isinstance(given, Image.Image):
        yield None, lambda limits: _without_file(_png(given), limits)
    elif hasattr(given, "__array__"):
        for pixels in _arrays(given):
            yield None, _of_pixels(pixels)
    else:
        raise UserError(f"cannot predict {_kind(given)}: give {TAKEN}")


def _path(given: str | os.PathLike) -> str:
    return os.path.expanduser(os.fsdecode(given))


def _is_folder(given: Any) -> bool:
    return isinstance(given, str | os.PathLike) and os.path.isdir(_path(given))


def _is_batch(given: Any) -> bool:
    return getattr(given, "ndim", 0) == 4


def _is_column(given: Any) -> bool:
    """Return True for a column of a DataFrame or an array that holds paths or images as objects."""
    return getattr(given, "ndim", 0) == 1 and getattr(getattr(given, "dtype", None), "kind", "") in ("O", "U")


# ------------------------------------------------------------------------------------------------------------- arrays
def _arrays(given: Any) -> Iterator[np.ndarray]:
    """Yield the images of an array: uint8 [H, W, 3] or [H, W].

    Raises:
      UserError: it is of another shape or dtype; the message says how to convert it.
    """
    try:
        array = np.asarray(given)
    except Exception as error:  # of a symbolic tensor, or one on another device
        raise UserError(f"cannot predict {_kind(given)}: {printable(str(error), 200)}; give {TAKEN}") from None
    if (hint := _shape_hint(array.shape)) is not None:
        raise UserError(
            f"cannot predict an array of shape {list(array.shape)}: give [H, W, 3], [H, W] or [N, H, W, 3]{hint}"
        )
    if array.dtype != np.uint8:
        raise UserError(f"cannot predict an array of {array.dtype}: give uint8 from 0 to 255{_dtype_hint(array)}")
    yield from array if array.ndim == 4 else (array,)


def _shape_hint(shape: tuple[int, ...]) -> str | None:
    """Return how to convert an array x of a shape that is not taken, as the end of a sentence; None if it is taken."""
    if len(shape) == 2 or (len(shape) in (3, 4) and shape[-1] == 3):
        return None
    if len(shape) in (3, 4) and shape[-1] == 4:
        return ", as x[..., :3]"
    if len(shape) in (3, 4) and shape[-1] == 1:
        return ", as x.repeat(3, axis=-1)"
    if len(shape) in (3, 4) and shape[-3] == 3:  # channels first
        return f", as x.transpose({'1, 2, 0' if len(shape) == 3 else '0, 2, 3, 1'})"
    if len(shape) == 3:
        return "; of grey images as x[..., None].repeat(3, axis=-1)"
    return ""


def _dtype_hint(array: np.ndarray) -> str:
    """Return how to convert an array x of another dtype than uint8, as the end of a sentence."""
    if array.dtype == bool:
        return ', as x.astype("uint8") * 255'
    if array.dtype.kind not in "iuf" or not array.size:
        return ""
    low, high = array.min(), array.max()
    if array.dtype.kind == "f" and not np.isfinite([low, high]).all():
        return "; it has values that are not finite"
    if low < 0 or high > 255:
        return f"; it has values from {low:g} to {high:g}"
    if array.dtype.kind != "f":
        return ', as x.astype("uint8")'
    scaled = "(x * 255)" if high <= 1 else "x"
    return f', as {scaled}.round().astype("uint8")'


def _of_pixels(pixels: np.ndarray) -> Reader:
    def read(limits: Limits) -> bytes:
        from components.example_gen import decoding, encoding

        height, width = pixels.shape[:2]
        decoding.check_size(width, height, limits.max_pixels)
        encode = encoding.stored_png if pixels.ndim == 3 else encoding.compressed_png
        return _without_file(encode(np.ascontiguousarray(pixels)), limits)

    return read


# ------------------------------------------------------------------------------------------------------------- Pillow
def _png(image: Image.Image) -> bytes:
    """Return an image of Pillow, upright, as PNG; Rejected if it cannot be one."""
    from components.example_gen import decoding
    from components.example_gen.rejected import Rejected

    if image.mode in ("F", "I"):
        raise Rejected(f"its pixels are 32-bit numbers of unknown range (mode {image.mode}): convert it to 8 bits")
    decoding.check_size(*image.size, image.width * image.height)
    out = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):
            upright = Image.fromarray(np.asarray(upright).astype(np.uint16))
        elif upright.mode not in _AS_PNG:
            upright = upright.convert("RGB")
        upright.save(out, "PNG", compress_level=1, icc_profile=None)
    except Exception as error:  # its file is read only now, and may be damaged or closed
        raise Rejected(f"damaged image: {decoding.error_line(error)}") from None
    return out.getvalue()


def _without_file(png: bytes, limits: Limits) -> bytes:
    """Return an image that came without a file, which the limit of a file's bytes does not concern."""
    return reading.canonical(png, limits._replace(max_bytes=len(png)))


def _kind(given: Any) -> str:
    if isinstance(given, int | float | complex | None):
        return repr(given)
    kind = type(given)
    return f"an object of {kind.__name__}" if kind.__module__ == "builtins" else f"a {kind.__module__}.{kind.__name__}"
