"""Values as JSON and back: what crosses between the two processes as a value, with its type.

JSON's scalars are themselves, a list is a list, and everything else is an object with one key, which names its type.
The libraries of a value are imported when one arrives: the side of the user may have none of them.
"""

from __future__ import annotations

import base64
import builtins
import datetime
import functools
import io
import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.errors import Damaged, GateRefused, Stopped, UserError
from image_pipeline.boundary import frames
from image_pipeline.finished_run import RunFailed

Keep = Callable[[Any], Any]  # gives {"object": ...} for a value that does not cross; or raises
Find = Callable[[Any], Any]  # gives the object for what is in it

_OURS: dict[str, type[BaseException]] = {
    kind.__name__: kind for kind in (UserError, GateRefused, Damaged, Stopped, RunFailed)
}
_PANDAS_SCALARS = {"NAType": "NA", "NaTType": "NaT", "Timestamp": "Timestamp", "Timedelta": "Timedelta"}
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # the modes that PNG keeps as they are


class WorkerTraceback(Exception):  # noqa: N818 (the cause of one, as text)
    """The traceback of an exception in the worker, as text: the cause of the exception that is raised here."""

    def __str__(self) -> str:
        return f"in the worker:\n{self.args[0]}"


def encode(value: Any, keep: Keep) -> Any:
    """Return the value as JSON; `keep` gives the JSON of what does not cross."""
    again = functools.partial(encode, keep=keep)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):  # NumPy's float64 and the members of an IntEnum too
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if type(value) is list:
        return [again(item) for item in value]
    if type(value) in (tuple, set, frozenset):
        return {type(value).__name__: [again(item) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": [[again(key), again(item)] for key, item in value.items()]}
    if isinstance(value, os.PathLike):
        return {"path": os.fsdecode(value)}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": base64.b64encode(value).decode()}
    if type(value) in (datetime.datetime, datetime.date):
        return {type(value).__name__: value.isoformat()}
    if isinstance(value, slice):
        return {"slice": [again(part) for part in (value.start, value.stop, value.step)]}
    if type(value) is datetime.timedelta:
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    return _encode_of_library(value, keep)


def decode(content: Any, find: Find) -> Any:
    """Return the value that `encode` was given; `find` gives the object of what did not cross.

    Raises:
      UserError: this Python lacks the library of the value.
    """
    again = functools.partial(decode, find=find)
    if isinstance(content, list):
        return [again(item) for item in content]
    if not isinstance(content, dict):
        return content
    ((kind, inner),) = content.items()
    if kind in _DECODERS:
        return _DECODERS[kind](inner, again)
    if kind in _OF_LIBRARIES:
        library, decoder = _OF_LIBRARIES[kind]
        try:
            return decoder(inner, again)
        except ModuleNotFoundError as error:
            raise UserError(
                f"the answer is {_NAMES[kind]}, and this Python lacks {error.name}: `pip install {library}` here"
            ) from None
    return find(inner)


def _encode_of_library(value: Any, keep: Keep) -> Any:
    """Return a value of NumPy, pandas or Pillow as JSON, told by its type's name: none of them is imported for it."""
    again = functools.partial(encode, keep=keep)
    names = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(value).__mro__}
    try:
        if ("numpy", "generic") in names:
            as_python = value.dtype.kind in "biufSU"
            return again(value.item()) if as_python else {"array": frames.encode_array(value.reshape(()), again)}
        if ("numpy", "ndarray") in names and ("numpy", "MaskedArray") not in names:
            return {"array": frames.encode_array(value, again)}
        if ("pandas", "DataFrame") in names:
            return {"frame": frames.encode_frame(value, again)}
        if ("pandas", "Series") in names:
            return {"series": frames.encode_series(value, again)}
        if ("pandas", "Index") in names:
            return {"index": frames.encode_index(value, again)}
        if ("PIL", "Image") in names:
            return {"image": _encode_image(value)}
    except TypeError:
        return keep(value)
    if type(value).__module__.startswith("pandas") and type(value).__name__ in _PANDAS_SCALARS:
        return {"scalar": [_PANDAS_SCALARS[type(value).__name__], str(value)]}
    return keep(value)


def _encode_image(image: Any) -> Any:
    content = {"mode": image.mode, "size": list(image.size)}
    if image.mode in _PNG_MODES:
        out = io.BytesIO()
        exif = image.getexif()  # which says where the top of a photo is
        image.save(out, "PNG", compress_level=1, **({"exif": exif} if exif else {}))
        return content | {"png": base64.b64encode(out.getvalue()).decode()}
    return content | {"data": base64.b64encode(image.tobytes()).decode()}


def _decode_image(content: Any, again: Keep) -> Any:
    from PIL import Image

    if "data" in content:
        return Image.frombytes(content["mode"], tuple(content["size"]), base64.b64decode(content["data"]))
    image = Image.open(io.BytesIO(base64.b64decode(content["png"])))
    image.load()
    return image if image.mode == content["mode"] else image.convert(content["mode"])


def _decode_scalar(content: list[str], again: Keep) -> Any:
    import pandas as pd

    kind, text = content
    return getattr(pd, kind)(text) if kind in ("Timestamp", "Timedelta") else getattr(pd, kind)


_DECODERS: dict[str, Callable[[Any, Keep], Any]] = {
    "tuple": lambda items, again: tuple(again(item) for item in items),
    "set": lambda items, again: {again(item) for item in items},
    "frozenset": lambda items, again: frozenset(again(item) for item in items),
    "dict": lambda items, again: {again(key): again(item) for key, item in items},
    "path": lambda text, again: Path(text),
    "slice": lambda parts, again: slice(*(again(part) for part in parts)),
    "bytes": lambda text, again: base64.b64decode(text),
    "datetime": lambda text, again: datetime.datetime.fromisoformat(text),
    "timedelta": lambda numbers, again: datetime.timedelta(*numbers),
    "date": lambda text, again: datetime.date.fromisoformat(text),
}
_OF_LIBRARIES: dict[str, tuple[str, Callable[[Any, Keep], Any]]] = {
    "array": ("numpy", frames.decode_array),
    "frame": ("pandas", frames.decode_frame),
    "series": ("pandas", frames.decode_series),
    "index": ("pandas", frames.decode_index),
    "scalar": ("pandas", _decode_scalar),
    "image": ("pillow", _decode_image),
}
_NAMES = {
    "array": "a NumPy array",
    "frame": "a DataFrame",
    "series": "a Series",
    "index": "an index of pandas",
    "scalar": "a value of pandas",
    "image": "an image of Pillow",
}


def encode_error(error: BaseException, keep: Keep, own_file: str = "") -> Any:
    """Return an exception as JSON: one of the project's with all that it carries, another with its traceback.

    Args:
      own_file: the source of the worker. What was raised in no other, as for a wrong argument, needs no traceback.
    """
    again = functools.partial(encode, keep=keep)
    if type(error) is KeyboardInterrupt:
        error = Stopped("interrupted")
    ours = next((kind.__name__ for kind in type(error).__mro__ if _OURS.get(kind.__name__) is kind), None)
    if ours:
        return {"ours": ours, "args": again(list(error.args)), "attributes": again(vars(error))}
    lines = None
    if any(frame.filename != own_file for frame in traceback.extract_tb(error.__traceback__)):
        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
    if _builtin(type(error).__name__) is type(error):
        args = error.__reduce__()[1]  # of an OSError the name of the file too
        return {"type": type(error).__name__, "args": again(list(args)), "traceback": lines}
    message = f"{type(error).__module__}.{type(error).__qualname__}: {error}"
    return {"type": "RuntimeError", "args": [message], "traceback": lines}


def decode_error(content: Any, find: Find) -> BaseException:
    """Return the exception that `encode_error` was given; what the worker printed of an unexpected one is its cause."""
    args = decode(content["args"], find)
    if "ours" in content:
        kind = _OURS[content["ours"]]
        error: BaseException = kind.__new__(kind, *args)  # without __init__, whose arguments are not all in args
        for key, value in decode(content["attributes"], find).items():
            setattr(error, key, value)
        return error
    try:
        error = (_builtin(content["type"]) or RuntimeError)(*args)
    except TypeError:
        error = RuntimeError(f"{content['type']}: {args}")
    if content["traceback"]:
        error.__cause__ = WorkerTraceback(content["traceback"])
    return error


def _builtin(name: str) -> type[BaseException] | None:
    """Return the built-in type of exceptions of that name."""
    kind = getattr(builtins, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, BaseException) else None
