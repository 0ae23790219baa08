"""Ctrl-C, SIGTERM and SIGHUP, heard at a moment of our own choice."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Asked(threading.Event):
    """Set once a signal came."""

    number: int = signal.SIGINT  # of the signal


@contextmanager
def asked() -> Iterator[Asked]:
    """An event that the first of the signals sets; the second ends the process at once.

    Outside the main thread, where Python delivers no signals, it is never set; nor is it by a signal that the process
    was started to ignore.
    """
    stop = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def heard(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.number = number
        stop.set()

    wanted = [one for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) != signal.SIG_IGN]
    before = {number: signal.signal(number, heard) for number in wanted}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
