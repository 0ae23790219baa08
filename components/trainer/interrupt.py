"""Ctrl-C, SIGTERM and SIGHUP, handled between training steps."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest(threading.Event):
    """The event that is set once a signal arrived."""

    number: int = signal.SIGINT  # of the signal


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have `handler` called for each of the signals.

    Outside the main thread, where Python delivers no signals, nothing is changed; nor is it for a signal that the
    process was started to ignore, as by nohup.
    """
    is_main = threading.current_thread() is threading.main_thread()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if is_main else ()
    caught = [number for number in signals if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in caught}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def end_at_once(number: int) -> None:
    """End the process by a second signal, unless it is interactive, as a notebook's: it holds more than the run."""
    if not hasattr(sys, "ps1"):
        os._exit(128 + number)


@contextmanager
def stop_requested() -> Iterator[StopRequest]:
    """Yield an event that the first of the signals sets; the second ends the process at once."""
    stop = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            end_at_once(number)
        stop.number = number
        stop.set()

    with handled(handle):
        yield stop
