"""What is shown: paths made short, and the libraries' noise kept off the screen, in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def kept_open(out: TextIO) -> Iterator[TextIO]:
    """`out` on a descriptor of its own, which outlives the redirection of its number."""
    out.flush()
    with open(os.dup(out.fileno()), "w", encoding=out.encoding or "utf-8", errors="replace", buffering=1) as copy:
        yield copy


@contextmanager
def all_output_to(log: str | Path) -> Iterator[None]:
    """Standard output and error of this process, of C++ and of its children go to `log`."""
    saved = {number: os.dup(number) for number in (1, 2)}
    with open(log, "a", buffering=1) as file:
        sys.stdout.flush()
        sys.stderr.flush()
        for number in saved:
            os.dup2(file.fileno(), number)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, descriptor in saved.items():
                os.dup2(descriptor, number)
                os.close(descriptor)


def short(path: str | Path) -> str:
    """Relative to the current folder where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)
