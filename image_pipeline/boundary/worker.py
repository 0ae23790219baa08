"""The process that `remote` starts: it does what its parent asks, one JSON line a request, until the parent hangs up.

The socket to the parent is a descriptor of its own. Descriptors 1 and 2 are the log, so that nothing that a library
prints reaches the parent; what the API prints to `sys.stdout` does.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import io
import json
import operator
import os
import platform
import queue
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import image_pipeline
from components.errors import UserError
from image_pipeline.boundary import interpreter, wire
from image_pipeline.boundary.connection import ENDED_WITHIN, Lines
from pipeline import ROOT
from pipeline.platforms import stage_table

NEEDED: tuple[str, ...] = ("pydantic", "pandas", "tensorflow", "tfx")  # what an environment without the lock lacks
_PACKAGES = tuple(f"{ROOT / name}{os.sep}" for name in ("image_pipeline", "pipeline", "components"))
_LIBRARIES = ("tensorflow", "keras")  # whose objects make sense in this process only
_END = object()  # of an iteration, or of the requests


class Worker:
    """The objects that the parent knows by number, and the calls on them."""

    def __init__(self, sock: socket.socket, log: str) -> None:
        self._socket, self._log = sock, log
        self._objects: dict[int, Any] = {}
        self._numbers = iter(range(1, sys.maxsize))
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._busy = False
        self._interrupted = 0  # the number of the request that the parent interrupts
        self._what = ""  # the request, in words

    def serve(self) -> None:
        """Answer the parent's requests until it hangs up."""
        threading.Thread(target=self._receive, args=(os.getppid(),), daemon=True).start()
        # Sent by a thread of its own: a signal's exception in the main thread must not leave half a line.
        sender = threading.Thread(target=self._send_all, daemon=True)
        sender.start()
        signal.signal(signal.SIGINT, self._interrupt)
        self.send(
            {
                "python": platform.python_version(),
                "package": str(Path(image_pipeline.__file__).parent),
                "source": interpreter.source_hash(),
                "lacks": [name for name in NEEDED if importlib.util.find_spec(name) is None],
            }
        )
        while (request := self._requests.get()) is not _END:
            self.send(self._answer(request))
        self._messages.put(_END)
        sender.join(10)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, once those before are sent."""
        self._messages.put(json.dumps(message).encode() + b"\n")

    def _send_all(self) -> None:
        while (line := self._messages.get()) is not _END:
            with contextlib.suppress(OSError):  # the parent has ended, and a run ends as by SIGTERM
                self._socket.sendall(line)

    def _receive(self, parent: int) -> None:
        """Read requests; when the parent hangs up or ends, end the call that it waits for."""
        lines = Lines(self._socket)
        # A process that the parent forked may hold its end of the socket open.
        while (line := lines.next(lambda: os.getppid() == parent)) is not None:
            request = json.loads(line)
            if "interrupt" not in request:
                self._requests.put(request)
                continue
            self._interrupted = request["interrupt"]
            while _importing():
                time.sleep(0.05)
            if self._busy:
                os.kill(os.getpid(), signal.SIGINT)
        with contextlib.suppress(OSError):
            os.unlink(self._log)  # nobody is left to read it
        self._requests.put(_END)
        if self._busy:
            os.kill(os.getpid(), signal.SIGTERM)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._busy:
            raise KeyboardInterrupt

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks for; return the reply."""
        for number in request["released"]:
            self._objects.pop(number, None)
        reply: dict[str, Any] = {"number": request["number"]}
        try:
            return reply | {"value": wire.encode(self._do(request), self._keep)}
        except BaseException as error:  # SystemExit and Ctrl-C too
            self._busy = False
            try:
                return reply | {"error": wire.encode_error(error, self._keep, __file__)}
            except UserError:  # what it carries cannot leave this process
                return reply | {
                    "error": wire.encode_error(RuntimeError(f"{type(error).__name__}: {error}"), self._keep)
                }

    def _do(self, request: dict[str, Any]) -> Any:
        if request["folder"]:
            os.chdir(request["folder"])
        operation = request["operation"]
        args = [wire.decode(arg, self._find) for arg in request["args"]]
        keywords = {key: wire.decode(value, self._find) for key, value in request["keywords"].items()}
        self._what = _in_words(operation, args)
        try:
            self._busy = True
            if self._interrupted == request["number"]:  # before this
                raise KeyboardInterrupt
            return OPERATIONS[operation](*args, **keywords)
        finally:
            self._busy = False

    def _find(self, content: Any) -> Any:
        try:
            return self._objects[content["number"]]
        except KeyError:
            raise UserError("an argument lives in a worker that has ended; make it again") from None

    def _keep(self, value: Any) -> Any:
        """Keep an object, and return what the parent needs for a proxy of it.

        Raises:
          UserError: it makes sense in this process alone.
        """
        if stays := _in_this_process_only(value):
            what, instead = stays
            subject = f"{self._what} is " if self._what else ""
            raise UserError(
                f"{subject}{what}, which lives in {sys.executable} and cannot leave it: {instead}"
                "run a script with that Python, where `import image_pipeline` has the same calls"
            )
        number = next(self._numbers)
        self._objects[number] = value
        is_plain = callable(value) and hasattr(value, "__name__")
        described = value if is_plain else type(value)
        name = getattr(value, "__qualname__", "") if is_plain else type(value).__name__
        doc = described.__doc__ or ""
        return {"object": {"number": number, "type": name, "doc": doc, "callable": callable(value)}}


class _Screen:
    """The progress of a run, sent to the parent: each method of a stage table is an event."""

    def __init__(self, send: Callable[[dict[str, Any]], None], stages: Sequence[str]) -> None:
        self._send, self._stages = send, list(stages)

    def __enter__(self) -> _Screen:
        self._send({"event": "screen", "stages": self._stages})
        return self

    def __exit__(self, *unused: object) -> None:
        self._send({"event": "screen", "method": "__exit__", "args": [None, None, None]})

    def __getattr__(self, name: str) -> Callable[..., None]:
        def call(*args: Any) -> None:
            self._send({"event": "screen", "method": name, "args": args})

        if name.startswith("_"):
            raise AttributeError(name)
        return call


class _Output(io.TextIOBase):
    """The standard output of the API, sent to the parent."""

    encoding = "utf-8"

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send

    def write(self, text: str) -> int:
        self._send({"event": "output", "text": text})
        return len(text)

    def writable(self) -> bool:
        return True


def _in_this_process_only(value: Any) -> tuple[str, str] | None:
    """Return what an object of TensorFlow or Keras is, and what to use instead of it; None for any other object."""
    bases = {kind.__name__ for kind in type(value).__mro__ if kind.__module__.partition(".")[0] in _LIBRARIES}
    if not bases:
        return None
    if "DatasetV2" in bases:
        return "a tf.data.Dataset", "`images()` and `augmentation` of the run show what is in it, or "
    name = f"a {type(value).__module__.partition('.')[0]} {type(value).__name__}"
    return name, "`summary` of the run describes it and `predict()` asks it, or " if "Model" in bases else ""


def _show(value: Any) -> Any:
    """Return what a notebook shows of an object."""
    if hasattr(value, "_repr_mimebundle_"):
        return value._repr_mimebundle_()
    return {"text/plain": repr(value)}


OPERATIONS: dict[str, Callable[..., Any]] = {
    "api": lambda name, *args, **keywords: getattr(image_pipeline, name)(*args, **keywords),
    "call": lambda function, *args, **keywords: function(*args, **keywords),
    "getattr": getattr,
    "getitem": operator.getitem,
    "contains": operator.contains,
    "iter": iter,
    "next": lambda iterator: [*_taken(iterator)],
    "len": len,
    "bool": bool,
    "dir": lambda value: [name for name in dir(value) if not name.startswith("_")],
    "repr": repr,
    "str": str,
    "show": _show,
}


def _importing() -> bool:
    """Return True if the main thread is in an import for a call: half a module would spoil every later call."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and frame.f_code is not Worker._do.__code__:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False


def _in_words(operation: str, args: list[Any]) -> str:
    """Return what a request asks for, as in `Run.model`."""
    if operation == "getattr":
        return f"{type(args[0]).__name__}.{args[1]}"
    if operation in ("api", "call"):
        return f"{getattr(args[0], '__qualname__', args[0])}()"
    return ""


def _taken(iterator: Any) -> list[Any]:
    """Return the next item in a list, which is empty at the end."""
    item = next(iterator, _END)
    return [] if item is _END else [item]


def main(descriptor: int, log: str) -> None:
    """Serve the parent at the other end of a socket."""
    os.set_inheritable(descriptor, False)  # not for the processes that a run starts
    worker = Worker(socket.socket(fileno=descriptor), log)

    def warn(message: Any, category: type[Warning], filename: str, *place: Any, file: TextIO | None = None) -> None:
        if filename.startswith(_PACKAGES):
            worker.send({"event": "warning", "category": category.__name__, "text": str(message)})
        else:  # a library's
            print(warnings.formatwarning(message, category, filename, place[0]), file=sys.stderr)

    def screen(stages: Sequence[str], file: TextIO) -> Any:
        return _Screen(worker.send, stages)

    faulthandler.enable()  # where a library crashes is in the log
    warnings.showwarning = warn  # type: ignore[assignment]
    warnings.filterwarnings("always", category=UserWarning, module="image_pipeline|__main__")
    sys.stdout = _Output(worker.send)
    stage_table.use(screen)
    worker.serve()
    # A thread that a library left running must not keep the process.
    guard = threading.Timer(ENDED_WITHIN, os._exit, (0,))
    guard.daemon = True
    guard.start()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
