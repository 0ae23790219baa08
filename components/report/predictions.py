"""Selections of the recorded predictions: errors, cells of the confusion matrix, changes against the baseline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from components.contracts.predictions import Predictions
from components.intervals import mcnemar

_PART = 10_000  # images sorted at a time


class Changes(NamedTuple):
    """The images that only one of two models predicted correctly."""

    gained: list[int]  # rows of the candidate that only it predicted correctly
    lost: list[int]
    p: float  # of McNemar's exact test


def coverage(answers: Predictions) -> tuple[list[float], list[float]]:
    """Return (share of the images, their accuracy) of the most confident predictions, at up to 200 shares."""
    order = np.argsort(-answers.confidence, kind="stable")
    accuracy = np.cumsum(answers.right[order]) / np.arange(1, len(order) + 1)
    steps = np.unique(np.linspace(1, len(order), min(200, len(order))).round().astype(int))
    return (steps / len(order)).tolist(), accuracy[steps - 1].tolist()


def mistakes(answers: Predictions, limit: int) -> list[int]:
    """Return the rows of the wrong predictions, the most confident first."""
    wrong = np.flatnonzero(~answers.right)
    return [int(row) for row in wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:limit]]


def margin(answers: Predictions) -> np.ndarray:
    """Return the probability of each prediction minus that of the second class, float32 [N]."""
    if answers.probabilities.shape[1] < 2:
        return answers.confidence
    margins = np.empty(len(answers), np.float32)
    for start in range(0, len(answers), _PART):  # a sorted copy of all probabilities could need gigabytes
        part = slice(start, start + _PART)
        second, first = np.partition(answers.probabilities[part], -2, axis=1)[:, -2:].T
        margins[part] = first - second
    return margins


def narrow(answers: Predictions, limit: int) -> list[int]:
    """Return the rows of the lowest margins, right and wrong, the lowest first."""
    return [int(row) for row in np.argsort(margin(answers), kind="stable")[:limit]]


def examples(answers: Predictions, limit: int) -> list[int]:
    """Return up to `limit` rows of right predictions, as many of each class: the most confident, class by class."""
    right = np.flatnonzero(answers.right)
    of_class: dict[int, list[int]] = {}
    for row in right[np.argsort(-answers.confidence[right], kind="stable")].tolist():
        of_class.setdefault(int(answers.label[row]), []).append(row)
    each = max(1, limit // max(1, len(of_class)))
    return [row for label in sorted(of_class) for row in of_class[label][:each]][:limit]


def cells(answers: Predictions, each: int) -> Iterator[tuple[int, int, int]]:
    """Yield (class, predicted class, row) of up to `each` images of every cell of the confusion matrix.

    The order is that in which the page shows them while it has room: the first image of every cell before the second
    of any, errors before correct predictions, and the most confident of a cell first.
    """
    rank: dict[tuple[int, int], int] = {}
    ranked = []
    for row in np.argsort(-answers.confidence, kind="stable"):
        cell = (int(answers.label[row]), int(answers.predicted[row]))
        rank[cell] = rank.get(cell, 0) + 1
        if rank[cell] <= each:
            ranked.append((rank[cell], cell[0] == cell[1], *cell, int(row)))
    for _, _, label, predicted, row in sorted(ranked):
        yield label, predicted, row


def changes(candidate: Predictions, baseline: Predictions) -> Changes | None:
    """Return the images that only one of two models predicted correctly; None if their images differ."""
    theirs = {source: row for row, source in enumerate(baseline.source.tolist())}
    rows = [theirs.get(source, -1) for source in candidate.source.tolist()]
    if len(theirs) != len(candidate) or min(rows) < 0 or (baseline.label[rows] != candidate.label).any():
        return None
    before, now = baseline.right[rows], candidate.right
    gained, lost = np.flatnonzero(now & ~before), np.flatnonzero(before & ~now)
    return Changes(gained.tolist(), lost.tolist(), mcnemar(len(gained), len(lost)))
