"""Ctrl-C, SIGTERM and SIGHUP, handled between training steps."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest(threading.Event):
    """The event that is set once a signal arrived."""

    number: int = signal.SIGINT  # of the signal


@contextmanager
def stop_requested() -> Iterator[StopRequest]:
    """Yield an event that the first of the signals sets; the second ends the process at once.

    Outside the main thread, where Python delivers no signals, it is never set; nor is it by a signal that the process
    was started to ignore.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.number = number
        stop.set()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handled = [number for number in signals if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in handled}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
