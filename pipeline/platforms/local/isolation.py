"""Isolate the libraries from what this process is besides: a command with options, a notebook, a log of the user's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def isolated() -> Iterator[None]:
    """Hide the command line and the notebook from the libraries, and undo how much they log.

    TFX's Beam executor reads sys.argv as absl's flags, of which -v is one too. In a notebook Beam would have the cell
    fetch scripts from the network, and name its transforms after cells.
    """
    from absl import logging as absl_logging

    words, ipython = sys.argv, sys.modules.get("IPython")
    sys.argv = words[:1]
    shell = _exchange(ipython, lambda: None)
    try:
        yield
    finally:
        sys.argv = words
        _exchange(ipython, shell)
        absl_logging.set_verbosity(absl_logging.WARNING)  # afterwards there is no log


def _exchange(ipython: Any, get_ipython: Any) -> Any:
    """Set how IPython's shell is found; return how it was found before."""
    before = getattr(ipython, "get_ipython", None)
    if ipython is not None:
        ipython.get_ipython = get_ipython
    return before
