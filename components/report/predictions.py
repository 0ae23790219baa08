"""Selections of the recorded predictions: errors, cells of the confusion matrix, changes against the baseline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from components.contracts.predictions import Predictions
from components.intervals import mcnemar


class Coverage(NamedTuple):
    """The accuracy of a share of the images: those with the most confident predictions."""

    coverage: float  # the share
    accuracy: float
    confidence: float  # the lowest of a prediction that counts


class Changes(NamedTuple):
    """The images that only one of two models predicted correctly."""

    gained: list[int]  # rows of the candidate that only it predicted correctly
    lost: list[int]
    p: float  # of McNemar's exact test


def coverage(answers: Predictions) -> list[Coverage]:
    """Return the accuracy of the most confident predictions at up to 200 shares of the images."""
    order = np.argsort(-answers.confidence, kind="stable")
    accuracy = np.cumsum(answers.right[order]) / np.arange(1, len(order) + 1)
    steps = np.unique(np.linspace(1, len(order), min(200, len(order))).round().astype(int))
    return [Coverage(n / len(order), float(accuracy[n - 1]), float(answers.confidence[order[n - 1]])) for n in steps]


def mistakes(answers: Predictions, limit: int) -> list[int]:
    """Return the rows of the wrong predictions, the most confident first."""
    wrong = np.flatnonzero(~answers.right)
    return [int(row) for row in wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:limit]]


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
