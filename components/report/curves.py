"""Precision-recall curves and averages over the classes, as scikit-learn computes and names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from components.contracts.evaluation import ClassResult
from components.contracts.predictions import Predictions
from components.report import packed

POINTS = 50  # of a curve in the page, at most
SCALE = 65_535  # a share in the page is a whole number of this


class Curve(NamedTuple):
    """Precision over recall of one class against all others, from recall 0 to 1."""

    recall: np.ndarray
    precision: np.ndarray

    @property
    def average_precision(self) -> float:
        """The mean of the precisions, each weighted by the increase in recall: sklearn's average_precision_score."""
        return float(np.sum(np.diff(self.recall) * self.precision[1:]))


@dataclasses.dataclass(frozen=True)
class Average:
    """The metrics of the classes, averaged as the rows of sklearn's classification_report of the same name."""

    name: str
    images: int
    recall: float
    precision: float
    f1: float
    average_precision: float | None  # None without recorded predictions


def of_classes(answers: Predictions, classes: int) -> list[Curve | None]:
    """Return the curve of every class by its probability; None for a class without a test image."""
    of_model = answers.probabilities.shape[1]  # classes that only the data has come after them
    scores = [answers.probabilities[:, i] if i < of_model else None for i in range(classes)]
    return [None if score is None else _curve(answers.label == i, score) for i, score in enumerate(scores)]


def _curve(positive: np.ndarray, scores: np.ndarray) -> Curve | None:
    from sklearn.metrics import precision_recall_curve

    if not positive.any():
        return None
    precision, recall, _ = precision_recall_curve(positive, scores)
    end = int(np.count_nonzero(recall < 1)) + 1  # once every image is found, the others only lower the precision
    return Curve(recall[::-1][:end], precision[::-1][:end])


def pack(curves: Sequence[Curve | None]) -> list[str | None]:
    """Return each curve as short text: recall and precision of up to POINTS points in turn, as shares of SCALE."""
    return [_pack(curve) if curve else None for curve in curves]


def _pack(curve: Curve) -> str:
    # Evenly along the line as it is drawn, not along the images: many images may share a point of the drawing.
    length = np.append(0, np.cumsum(np.hypot(np.diff(curve.recall), np.diff(curve.precision))))
    wanted = np.linspace(0, length[-1], POINTS)
    at = np.unique(np.searchsorted(length, wanted).clip(0, len(length) - 1))
    points = np.stack([curve.recall[at], curve.precision[at]], axis=1)
    return packed.uint16(np.rint(points * SCALE))


def averages(classes: Sequence[ClassResult], precisions: Sequence[float | None]) -> list[Average]:
    """Return the macro and the weighted average over the classes that have an image or a prediction.

    A precision without any prediction counts as 0, as in sklearn's report; a class without an image has no average
    precision and does not count in its mean.
    """
    rows = [(row, ap) for row, ap in zip(classes, precisions) if row.pictures or row.predicted]
    images = sum(row.pictures for row, _ in rows)
    if not images:
        return []

    def mean(of: Callable[[ClassResult], Any], weighted: bool) -> float:
        weights = [row.pictures if weighted else 1 for row, _ in rows]
        values = [of(row).value if of(row) else 0.0 for row, _ in rows]
        return float(np.average(values, weights=weights))

    averages = []
    for name, weighted in (("macro average", False), ("weighted average", True)):
        known = [(ap, row.pictures if weighted else 1) for row, ap in rows if ap is not None]
        averages.append(
            Average(
                name=name,
                images=images,
                recall=mean(lambda row: row.recall, weighted),
                precision=mean(lambda row: row.precision, weighted),
                f1=mean(lambda row: row.f1, weighted),
                average_precision=_mean(known),
            )
        )
    return averages


def _mean(weighted: Sequence[tuple[float, int]]) -> float | None:
    values, weights = [value for value, _ in weighted], [weight for _, weight in weighted]
    return float(np.average(values, weights=weights)) if sum(weights) else None
