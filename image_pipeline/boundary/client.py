"""The user's side: the calls, and proxies of the objects that they return."""

from __future__ import annotations

import builtins
import difflib
import functools
import inspect
import operator
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import image_pipeline
from components.errors import OfARun, UserError
from image_pipeline.boundary import wire
from image_pipeline.boundary.connection import Connection, WorkerEnded
from pipeline.platforms import stage_table


class UnknownName(OfARun, AttributeError):  # noqa: N818 (what it is)
    """A call that `image_pipeline` has not. The message names a similar one."""


class Remote:
    """The calls of `image_pipeline`, made in a worker process of another Python, as `remote` describes.

    Attributes:
      python: the path of the worker's Python.
    """

    def __init__(self, python: str | os.PathLike[str]) -> None:
        self._connection = Connection(os.fspath(python))
        self._closed = False
        self.python = self._connection.python

    @property
    def log(self) -> str:
        """Return the path of what the worker's libraries print outside runs."""
        return self._connection.log

    def __getattr__(self, name: str) -> Any:
        names = _public_names()
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise UnknownName(f"image_pipeline has no {name!r}; {hint}")
        original = getattr(image_pipeline, name)
        if isinstance(original, type):
            return original  # an exception: it arrives as the same type

        @functools.wraps(original)
        def call(*args: Any, **keywords: Any) -> Any:
            return _ask(self._open(), "api", name, *args, **keywords)

        return call

    def _open(self) -> Connection:
        if self._closed:
            raise UserError("this worker is closed; image_pipeline.remote() starts another")
        if not self._connection.alive:
            self._connection = Connection(self.python)
        return self._connection

    def close(self) -> None:
        """End the worker; a run in it ends as by SIGTERM, and can be resumed."""
        self._closed = True
        self._connection.close()

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __dir__(self) -> list[str]:
        return [*_public_names(), "close", "log", "python"]

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"Python {self._connection.version}"
        return f"<image_pipeline in {self.python}, {state}>"


def _public_names() -> list[str]:
    return sorted(name for name in image_pipeline.__all__ if name not in ("remote", "Remote"))


class _Handle:
    """An object in the worker by its number; it is released there when the last proxy of it is gone."""

    def __init__(self, connection: Connection, number: int) -> None:
        self.connection, self.number = connection, number

    def __del__(self) -> None:
        self.connection.released.append(self.number)  # sent with the next call: this may be in the midst of one


class Proxy:
    """An object that lives in the worker. Its attributes, items and display are asked for there."""

    __slots__ = ("_handle",)

    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no {name!r} outside its worker")
        return self._asked("getattr", name)

    def _asked(self, operation: str, *args: Any, **keywords: Any) -> Any:
        return _ask(self._handle.connection, operation, self, *args, **keywords)

    def __getitem__(self, key: Any) -> Any:
        return self._asked("getitem", key)

    def __contains__(self, item: Any) -> bool:
        return bool(self._asked("contains", item))

    def __iter__(self) -> Iterator[Any]:
        return _items(self._asked("iter"))

    def __len__(self) -> int:
        return int(self._asked("len"))

    def __bool__(self) -> bool:
        return bool(self._asked("bool"))

    def __dir__(self) -> list[str]:
        return list(self._asked("dir"))

    def __repr__(self) -> str:
        try:
            return str(self._asked("repr"))
        except WorkerEnded:
            return f"<{type(self).__name__} in a worker that has ended>"

    def __str__(self) -> str:
        return str(self._asked("str"))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self._asked("show")


class Function(Proxy):
    """A function or method in the worker."""

    __slots__ = ()

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self._asked("call", *args, **keywords)


def _items(iterator: Proxy) -> Iterator[Any]:
    while item := iterator._asked("next"):
        yield item[0]


def _ask(connection: Connection, operation: str, *args: Any, **keywords: Any) -> Any:
    """Make a call in the worker and return its value here.

    Raises:
      UserError: an argument cannot cross.
    """

    def keep(value: Any) -> Any:
        if isinstance(value, Proxy) and value._handle.connection is connection:
            return {"object": {"number": value._handle.number}}
        if isinstance(value, Proxy):
            raise UserError(f"the {type(value).__name__} lives in another worker, or one that has ended; make it again")
        raise UserError(
            f"a {type(value).__module__}.{type(value).__qualname__} cannot be sent to the worker; what can: numbers, "
            "text, paths, lists, dicts, NumPy arrays, DataFrames, images of Pillow, and what a call returned"
        )

    def find(content: Any) -> Any:
        kind = _proxy_type(content["type"], content["doc"], content["callable"])
        return kind(_Handle(connection, content["number"]))

    request = {
        "operation": operation,
        "args": [wire.encode(arg, keep) for arg in args],
        "keywords": {key: wire.encode(value, keep) for key, value in keywords.items()},
    }
    with _Replay() as replay:
        reply = connection.call(request, replay)
    if "error" in reply:
        raise wire.decode_error(reply["error"], find)
    return wire.decode(reply["value"], find)


@functools.lru_cache
def _proxy_type(name: str, doc: str, is_callable: bool) -> Callable[[_Handle], Proxy]:
    """Return the type of proxies of objects of a type, with its name and its documentation."""
    members: dict[str, Any] = {"__slots__": (), "__doc__": doc, "__module__": "image_pipeline"}
    if is_callable and (signature := _signature(name)):
        members["__signature__"] = signature
    return type(name, (Function if is_callable else Proxy,), members)


def _signature(name: str) -> inspect.Signature | None:
    """Return how a method of the API is called, for a notebook that asks; both sides have the same code."""
    try:
        signature = inspect.signature(operator.attrgetter(name)(image_pipeline))
    except (AttributeError, TypeError, ValueError):
        return None
    return signature.replace(parameters=list(signature.parameters.values())[1:])


class _Replay:
    """Shows here what the worker shows during a call: its screen, its output, its warnings."""

    def __init__(self) -> None:
        self._screen: Any = None  # of the current run
        self._stage: str | None = None  # that runs
        self._began = 0.0

    def __enter__(self) -> _Replay:
        return self

    def __exit__(self, kind: type[BaseException] | None, *unused: object) -> None:
        """End a screen that the worker did not end: it was killed."""
        if self._screen is None:
            return
        if self._stage is not None:
            state = "interrupted" if kind is not None and issubclass(kind, KeyboardInterrupt) else "failed"
            self._screen.ended(self._stage, state, time.monotonic() - self._began)
        self._screen.__exit__(None, None, None)

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "output":
            print(event["text"], end="", flush=True)
        elif kind == "warning":
            category = getattr(builtins, event["category"], UserWarning)
            warnings.warn(event["text"], category, stacklevel=_stack_level())
        elif "stages" in event:
            self._screen = stage_table.make(event["stages"], sys.stdout)
            self._screen.__enter__()
        else:
            self._show(event["method"], event["args"])

    def _show(self, method: str, args: list[Any]) -> None:
        screen = self._screen
        if screen is None:  # it could not be shown
            return
        if method == "started":
            self._stage, self._began = args[0], time.monotonic()
        elif method == "ended":
            self._stage = None
        elif method == "__exit__":
            self._screen = None
        getattr(screen, method)(*args)


def _stack_level() -> int:
    """Return the level, for the caller, of the nearest frame outside this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("image_pipeline"):
        frame, level = frame.f_back, level + 1
    return level
