"""Output: short paths, and redirection of what the libraries print to a file."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from components.text import printable

_LOG_LINE = 2000  # characters of a line of the log that are shown


@contextmanager
def duplicated_stream(out: TextIO) -> Iterator[TextIO]:
    """Yield `out` on a descriptor of its own, which the redirection of its number leaves alone.

    A stream without one, as a notebook's, is yielded as it is: no redirection reaches it.
    """
    out.flush()
    if not _has_descriptor(out):
        yield out
        return
    raw = open(os.dup(out.fileno()), "wb")  # noqa: SIM115 (closed with the text)
    with _Terminal(raw, encoding=out.encoding or "utf-8", errors="replace", line_buffering=True) as copy:
        yield copy


class _Terminal(io.TextIOWrapper):
    """A stream that drops its text once the terminal is closed: the run continues, or ends by the signal."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


def _has_descriptor(stream: TextIO) -> bool:
    """Return True if `stream` writes to a descriptor; a notebook's sends its text elsewhere, whatever it says."""
    if not isinstance(stream, io.TextIOWrapper):
        return False
    try:
        return stream.fileno() >= 0
    except (OSError, ValueError):
        return False


@contextmanager
def redirect_output(log: str | Path) -> Iterator[None]:
    """Send standard output and error of this process, of its C++ code and of its children to `log`."""
    saved = {number: os.dup(number) for number in (1, 2)}
    with open(log, "a", buffering=1) as file, _streams_on_descriptors():
        sys.stdout.flush()
        sys.stderr.flush()
        for number in saved:
            os.dup2(file.fileno(), number)
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):  # the disk may be full
                    stream.flush()
            for number, descriptor in saved.items():
                os.dup2(descriptor, number)
                os.close(descriptor)


@functools.cache
def _on_descriptor(number: int) -> TextIO:
    """Return a stream that writes to wherever a descriptor leads; a library may keep it for ever."""
    return open(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


@contextmanager
def _streams_on_descriptors() -> Iterator[None]:
    """Have Python code print and log to descriptors 1 and 2, also where its streams do not, as in a notebook."""
    streams = {"stdout": (sys.stdout, 1), "stderr": (sys.stderr, 2)}
    replaced = {
        name: (stream, _on_descriptor(number))
        for name, (stream, number) in streams.items()
        if not _has_descriptor(stream) or stream.fileno() != number
    }
    for name, (stream, other) in replaced.items():
        setattr(sys, name, other)
        _redirect_handlers(stream, other)
    try:
        yield
    finally:
        for name, (stream, other) in replaced.items():
            setattr(sys, name, stream)
            _redirect_handlers(other, stream)  # those that were made meanwhile too


def _redirect_handlers(stream: TextIO, other: TextIO) -> None:
    """Have all handlers of loggers that write to `stream` write to another one."""
    for handler in _stream_handlers():
        if handler.stream is stream:
            handler.setStream(other)


def _stream_handlers() -> list[logging.StreamHandler]:
    """Return the handlers of all loggers that write to a stream, absl's among them, which holds one of its own."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    handlers = [handler for logger in loggers if isinstance(logger, logging.Logger) for handler in logger.handlers]
    handlers += [handler.python_handler for handler in handlers if hasattr(handler, "python_handler")]
    return [handler for handler in handlers if isinstance(handler, logging.StreamHandler)]


@contextmanager
def shown_log(log: str | Path, show: Callable[[str], None]) -> Iterator[None]:
    """Call `show` with each line that is added to the log, from another thread; the log itself is as ever."""
    ended = threading.Event()

    def follow() -> None:
        with open(log, encoding="utf-8", errors="replace") as file:
            part = ""
            while True:
                last = ended.is_set()
                for text in file:
                    part += text
                    if part.endswith("\n"):
                        show(printable(part[:-1], _LOG_LINE))
                        part = ""
                if last:
                    return
                ended.wait(0.2)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def short(path: str | Path) -> str:
    """Return the path, relative to the current folder if that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)
