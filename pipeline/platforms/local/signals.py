"""Ctrl-C, SIGTERM and SIGHUP during a run: the first ends it with a result, the second at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from components.errors import Stopped
from components.trainer.interrupt import end_at_once, handled


class Signals:
    """The signals received so far."""

    def __init__(self) -> None:
        self.number: int | None = None  # of the first signal
        self._deferred = False

    def check(self) -> None:
        """Raise the signal again: a library's callback may have swallowed it.

        Raises:
          Stopped: there was a signal.
        """
        if self.number is not None:
            raise Stopped(number=self.number)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer signals until the end of this context."""
        before, self._deferred = self.number, True
        try:
            yield
        finally:
            self._deferred = False
        if before is None:
            self.check()

    def receive(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            end_at_once(number)
            return
        self.number = number
        if not self._deferred:
            self.check()


@contextmanager
def raised() -> Iterator[Signals]:
    """Raise the first signal as Stopped in the main thread, wherever it is."""
    signals = Signals()
    with handled(signals.receive):
        yield signals
