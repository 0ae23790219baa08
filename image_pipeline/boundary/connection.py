"""The worker process as its parent sees it: start, one call at a time, interrupts, death, end."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from components.errors import OfARun, Stopped, UserError
from image_pipeline.boundary import interpreter

STARTED_WITHIN = 120.0  # seconds in which a worker must say that it is there, on a busy machine too
ENDED_WITHIN = 60.0  # seconds that a run in a closed worker has to end with its result


class WorkerEnded(OfARun, RuntimeError):  # noqa: N818 (what became of it)
    """The worker process has ended, and with it every object that lived in it. The message says how."""


class Lines:
    """The lines that arrive at a socket."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._begun = b""  # of the next line

    def next(self, keep_waiting: Callable[[], bool]) -> bytes | None:
        """Return the next line; None if there is none to come, or `keep_waiting` says so, asked twice a second."""
        parts = [self._begun]
        try:
            while b"\n" not in parts[-1]:
                if select.select([self._source], [], [], 0.5)[0]:
                    parts.append(self._source.recv(1 << 20))
                    if not parts[-1]:
                        return None
                elif not keep_waiting():
                    return None
        except (OSError, ValueError):  # it is closed
            return None
        end, _, self._begun = parts[-1].partition(b"\n")
        return b"".join([*parts[:-1], end])


class Connection:
    """A worker process, started. Its calls are made one at a time; other threads wait.

    Attributes:
      python: the path of its Python.
      version: of that Python.
      log: the file with what it prints; removed when it ends as it should.
    """

    def __init__(self, python: str) -> None:
        """Start the worker.

        Raises:
          UserError: there is no such Python, or it lacks the package or what the package needs.
        """
        self.python = interpreter.find_python(python)
        descriptor, self.log = tempfile.mkstemp(prefix="image-pipeline-worker-", suffix=".log")
        ours, theirs = socket.socketpair()
        command = [self.python, "-m", "image_pipeline.boundary.worker", str(theirs.fileno()), self.log]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C on the terminal is the parent's, which passes it on
                env=interpreter.environment(),
            )
        except OSError as error:
            ours.close()
            os.unlink(self.log)
            raise UserError(f"{self.python} cannot be started: {error.strerror}") from None
        finally:
            theirs.close()
            os.close(descriptor)
        self._socket, self._lines = ours, Lines(ours)
        self._lock = threading.Lock()
        self._number = 0  # of the latest call
        self._interrupts = self._passed_on = 0  # of the call
        self._sent = False  # whether its request is
        self._closed = False
        self.released: list[int] = []  # the objects that are no longer needed here, for the next call
        self._end = weakref.finalize(self, _hang_up, ours, os.getpid())
        threading.Thread(target=_reap, args=(self._process, ours), daemon=True).start()
        self.version = self._greet()

    def _greet(self) -> str:
        """Wait for the worker's first line, which says what it is; return the version of its Python."""
        until = time.monotonic() + STARTED_WITHIN
        line = self._lines.next(lambda: time.monotonic() < until)
        if line is None:
            self._kill()
            lines = Path(self.log).read_text(encoding="utf-8", errors="replace").split("\n")
            reason = " ".join(next((line for line in reversed(lines) if line.strip()), "").split())
            if "No module named" in reason and ("image_pipeline" in reason or "components" in reason):
                reason = "this package is not installed in it: run `make setup`, and give the Python of its .venv"
            self._discard()
            raise UserError(f"{self.python} cannot be used: {reason or 'is it a Python?'}")
        hello = json.loads(line)
        refusal = ""
        if hello["lacks"]:
            refusal = f"lacks {', '.join(hello['lacks'])}: run `make setup`, and give the Python of its .venv"
        elif hello["source"] != interpreter.source_hash():
            refusal = (
                f"has another version of this package, in {hello['package']}, than this Python, in "
                f"{Path(__file__).parents[1]}: install the same version in both, and restart this Python"
            )
        if refusal:
            self._discard()
            raise UserError(f"{self.python} {refusal}")
        return str(hello["python"])

    @property
    def alive(self) -> bool:
        """Return True if a call can be made."""
        return not self._closed and self._process.poll() is None

    def call(self, request: dict[str, Any], replay: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Send a request and return its reply, both JSON; `replay` is called for each event until then.

        Raises:
          WorkerEnded: the worker has ended, before or meanwhile.
          KeyboardInterrupt: Ctrl-C meanwhile. The first interrupts the worker's call, which ends as it would there;
            the second ends the worker.
        """
        with self._lock:
            if not self.alive:
                raise self._death()
            self._number += 1
            self._interrupts = self._passed_on = 0
            self._sent = False
            failure: BaseException | None = None
            released, self.released = self.released, []
            message = {"number": self._number, "folder": interpreter.folder(), "released": released} | request
            with self._interrupts_passed_on():
                try:
                    self._send(message)
                    self._sent = True
                    self._pass_on()
                    while "event" in (reply := self._read()) or reply["number"] != self._number:
                        try:
                            replay(reply)
                        except BaseException as error:  # a warning that is an error here, an output that is closed
                            failure = failure or error
                except (KeyboardInterrupt, SystemExit):  # of a handler of signals that is not the usual one
                    self._kill()
                    raise
            if failure:
                raise failure
            if self._interrupts and reply.get("error", {}).get("ours") != "Stopped":
                raise Stopped("interrupted; the call had ended by then")
            return reply

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            raise self._cut_off() from None

    def _read(self) -> dict[str, Any]:
        line = self._lines.next(lambda: True)
        if line is None:
            raise self._cut_off()
        message: dict[str, Any] = json.loads(line)
        return message

    @contextlib.contextmanager
    def _interrupts_passed_on(self) -> Iterator[None]:
        """Pass Ctrl-C on to the worker, whose reply then says what came of it; nothing is interrupted here."""

        def receive(number: int, frame: FrameType | None) -> None:
            self._interrupts += 1
            if self._interrupts > 1:
                self._kill()
            elif self._sent:
                self._pass_on()

        if threading.current_thread() is not threading.main_thread() or not callable(signal.getsignal(signal.SIGINT)):
            yield
            return
        before = signal.signal(signal.SIGINT, receive)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _pass_on(self) -> None:
        """Tell the worker of an interrupt, once the request is sent whole."""
        if self._interrupts > self._passed_on:
            self._passed_on = self._interrupts
            with contextlib.suppress(OSError):
                self._socket.sendall(json.dumps({"interrupt": self._number}).encode() + b"\n")

    def _kill(self) -> None:
        """End the worker and the processes that it started, at once."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _cut_off(self) -> WorkerEnded | Stopped:
        """Return the exception for a call that the worker did not answer."""
        if self._interrupts > 1:
            self._process.wait()
            return Stopped("interrupted twice: the worker was ended; the same call starts another, and resumes a run")
        return self._death()

    def _death(self) -> WorkerEnded:
        """Return the exception that says how the worker ended."""
        if self._closed:
            return WorkerEnded("this worker is closed; image_pipeline.remote() starts another")
        try:
            code = self._process.wait(ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            self._kill()
            code = self._process.wait()
        how = f"with exit code {code}"
        if code < 0:
            how = f"by {signal.Signals(-code).name}"
            if -code == signal.SIGKILL:
                how += ", after a second Ctrl-C" if self._interrupts > 1 else ", perhaps because the memory was used up"
        return WorkerEnded(f"the worker ended {how}, and what lived in it is gone; its log: {self.log}")

    def close(self) -> None:
        """End the worker; a run in it ends as by SIGTERM, and can be resumed."""
        self._closed = True
        self._end()
        try:
            self._process.wait(ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()

    def _discard(self) -> None:
        """End a worker that is none, or not the one that it should be."""
        self._kill()
        self._end()
        self._process.wait()
        with contextlib.suppress(OSError):
            os.unlink(self.log)


def _hang_up(ours: socket.socket, owner: int) -> None:
    """Close the socket, which ends the worker; not in a process that this one was forked to."""
    if os.getpid() == owner:
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)
        ours.close()


def _reap(process: subprocess.Popen[bytes], ours: socket.socket) -> None:
    """Wait for the worker's end, so that it is no zombie, and end the call that waits for it."""
    if process.wait() != 0:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)  # the processes that it started
    with contextlib.suppress(OSError):
        ours.shutdown(socket.SHUT_RD)
