"""Faster imports of TensorFlow and TFX, and whole ones."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector during heavy imports (a third faster) and freeze the imported objects afterwards.

    The imports create a million permanent objects, which the collector would scan repeatedly. In an interactive Python,
    which has further calls after Ctrl-C, it waits for their end: half of TensorFlow would fail in all of them.
    """
    gc.disable()
    try:
        with _interrupts_deferred() if hasattr(sys, "ps1") else nullcontext():
            yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Defer Ctrl-C until the end of this context."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    deferred: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: deferred.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if deferred:
            signal.raise_signal(signal.SIGINT)
