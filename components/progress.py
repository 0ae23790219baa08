"""Progress messages of a running stage. The run's screen listens; without a listener they cost nothing."""

from __future__ import annotations

from collections.abc import Callable

Listener = Callable[[str], None]

_listener: Listener | None = None
_counted = 0


def listen(listener: Listener | None) -> None:
    """Set the listener of progress messages; None removes it."""
    global _listener
    _listener = listener


def report(text: str) -> None:
    """Report the progress of the running stage in a few words, for example `epoch 3/10, accuracy 0.71`."""
    if _listener is not None:
        _listener(text)


def start() -> None:
    """Reset the count at the start of a stage."""
    global _counted
    _counted = 0


def count(images: int) -> None:
    """Report that the running stage has processed so many more images."""
    global _counted
    _counted += images
    report(f"{_counted:,} images")
