"""Selections of the recorded predictions: errors, cells of the confusion matrix, changes against the baseline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from components.contracts.predictions import Predictions
from components.intervals import mcnemar


def coverage(answers: Predictions) -> list[dict[str, float]]:
    """Accuracy when only the surest answers count: {"coverage", "accuracy", "confidence"} at up to 200 steps.

    `confidence` is that of the least sure answer that still counts.
    """
    order = np.argsort(-answers.confidence, kind="stable")
    accuracy = np.cumsum(answers.right[order]) / np.arange(1, len(order) + 1)
    steps = np.unique(np.linspace(1, len(order), min(200, len(order))).round().astype(int))
    return [
        {
            "coverage": n / len(order),
            "accuracy": float(accuracy[n - 1]),
            "confidence": float(answers.confidence[order[n - 1]]),
        }
        for n in steps
    ]


def mistakes(answers: Predictions, most: int) -> list[int]:
    """Rows of the wrong answers, the surest first."""
    wrong = np.flatnonzero(~answers.right)
    return [int(row) for row in wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:most]]


def cells(answers: Predictions, each: int) -> Iterator[tuple[int, int, int]]:
    """(class, predicted class, row) of up to `each` images of every cell of the confusion matrix.

    In the order in which they deserve room on the page: one of every cell before the second of any, mistakes
    before right answers, and the surest of a cell first.
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


def changes(candidate: Predictions, baseline: Predictions) -> dict[str, Any] | None:
    """Images that only one of two models got right, and McNemar's exact test of whether that is chance.

    {"gained": rows of the candidate, "lost": rows, "p": float}; None where the two answered other images.
    """
    theirs = {source: row for row, source in enumerate(baseline.source.tolist())}
    rows = [theirs.get(source, -1) for source in candidate.source.tolist()]
    if len(theirs) != len(candidate) or min(rows) < 0 or (baseline.label[rows] != candidate.label).any():
        return None
    before, now = baseline.right[rows], candidate.right
    gained, lost = np.flatnonzero(now & ~before), np.flatnonzero(before & ~now)
    return {"gained": gained.tolist(), "lost": lost.tolist(), "p": mcnemar(len(gained), len(lost))}
