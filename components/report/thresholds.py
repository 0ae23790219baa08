"""What remains if only predictions of at least some confidence count: for every step of the page's slider."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from components.contracts.predictions import Predictions
from components.report import packed

STEPS = 200  # of the slider, from 0 to 1; the counts are exact at each
DEFAULT = 0.5  # the slider's threshold when the page is opened


class Answered(NamedTuple):
    """The images whose prediction reaches a threshold; a rate without any image is None."""

    images: int
    coverage: float | None  # of all images
    precision: float | None  # of the answered ones
    recall: float | None  # of all images


@dataclasses.dataclass(frozen=True)
class Histograms:
    """Images by class and step of confidence, int64 [K, STEPS + 1]: in the last are confidences of 1.

    Attributes:
      true: by true class.
      predicted: by predicted class.
      right: the right ones, of which the two are the same.
    """

    true: np.ndarray
    predicted: np.ndarray
    right: np.ndarray

    def above(self, threshold: float) -> list[Answered]:
        """Return what remains of every class at a threshold, which is rounded to a step."""
        step = round(threshold * STEPS)
        images = self.true.sum(axis=1)
        kept = (counts[:, step:].sum(axis=1) for counts in (self.true, self.predicted, self.right))
        return [_answered(*row) for row in zip(images.tolist(), *(counts.tolist() for counts in kept))]

    def overall(self, threshold: float) -> Answered:
        """Return what remains of all images."""
        step = round(threshold * STEPS)
        answered, right = int(self.true[:, step:].sum()), int(self.right[:, step:].sum())
        return _answered(int(self.true.sum()), answered, answered, right)

    def pack(self) -> dict[str, Any]:
        """Return the histograms as short text for the page."""
        return {"steps": STEPS} | {name: packed.counts(counts) for name, counts in vars(self).items()}


def _answered(images: int, answered: int, predicted: int, right: int) -> Answered:
    return Answered(
        images,
        answered / images if images else None,
        right / predicted if predicted else None,
        right / images if images else None,
    )


def histograms(answers: Predictions, classes: int) -> Histograms:
    """Count the images by class and step of confidence."""
    # A confidence is a float32, and reaches the threshold that is the same float32.
    edges = (np.arange(STEPS + 1) / STEPS).astype(np.float32)
    steps = (np.searchsorted(edges, answers.confidence, side="right") - 1).clip(0, STEPS)
    right = answers.right

    def count(which: np.ndarray, steps: np.ndarray) -> np.ndarray:
        counts = np.zeros((classes, STEPS + 1), np.int64)
        np.add.at(counts, (which, steps), 1)
        return counts

    return Histograms(
        count(answers.label, steps), count(answers.predicted, steps), count(answers.label[right], steps[right])
    )
