"""Exceptions that end a run without being a fault of the program."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any


class OfARun:
    """An exception that a notebook shows without a traceback: where in the program it was raised helps nobody.

    Attributes:
      run: what came of the run that it ended, an image_pipeline.Run; None where no run began, or outside the API.
    """

    run: Any = None

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython prints."""
        return [f"{type(self).__name__}: {self}"]


class UserError(OfARun, Exception):
    """A mistake in input or configuration. The message names the input, what is wrong and what to do."""


class Damaged(OfARun, Exception):  # noqa: N818 (what is on the disk is, not the program)
    """Stored data differs from what was written. The message names it and says how to restore it."""


class Stopped(OfARun, KeyboardInterrupt):
    """The run was interrupted by a signal. The message says where a training stopped; elsewhere it is empty.

    Attributes:
      number: of the signal.
      epochs: of the training that it interrupted, each as contracts/training.py's Epoch.
    """

    def __init__(self, where: str = "", number: int = signal.SIGINT) -> None:
        super().__init__(where)
        self.number = number
        self.epochs: list[dict[str, Any]] = []


class GateRefused(OfARun, Exception):  # noqa: N818 (a verdict, not an error)
    """The data cannot be trusted and the run stops. The message says why, one finding a line, with examples.

    Attributes:
      findings: all that the gate found, warnings too, as components/contracts/findings.py describes.
    """

    def __init__(self, message: str, findings: Sequence[Mapping[str, Any]] = ()) -> None:
        # Both are in args, so that pickling and Beam, which makes the exception again, keep them.
        super().__init__(message, list(findings))

    @property
    def findings(self) -> list[Mapping[str, Any]]:
        return self.args[1]

    def __str__(self) -> str:
        return self.args[0]
