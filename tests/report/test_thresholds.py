"""What a threshold leaves, against the same counted image by image."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from components.contracts.predictions import Predictions
from components.report import packed, thresholds


def predictions(classes: int = 4, images: int = 500) -> Predictions:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.full(classes, 0.3), images).astype(np.float32).round(3)
    probabilities[0] = np.eye(classes)[1]
    names = np.array([str(i) for i in range(images)])
    labels = rng.integers(0, classes - 1, images)  # the last has no image
    return Predictions(names, names, labels, probabilities.argmax(axis=1), probabilities)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.7, 0.905, 1.0])
def test_counts_are_exact_at_every_step(threshold: float) -> None:
    answers = predictions()
    histograms = thresholds.histograms(answers, 4)
    kept = answers.confidence >= np.float32(threshold)
    overall = histograms.overall(threshold)
    assert overall.coverage == pytest.approx(kept.mean())
    assert overall.precision == pytest.approx(answers.right[kept].mean())
    assert overall.recall == pytest.approx((answers.right & kept).mean())
    for i, row in enumerate(histograms.above(threshold)):
        own, said = answers.label == i, (answers.predicted == i) & kept
        assert row.images == own.sum()
        assert row.coverage == (pytest.approx(kept[own].mean()) if own.any() else None)
        assert row.precision == (pytest.approx(answers.right[said].mean()) if said.any() else None)
        assert row.recall == (pytest.approx((answers.right & kept)[own].mean()) if own.any() else None)


def test_zeros_take_no_room() -> None:
    values = np.zeros(100_000, int)
    values[[0, 5, 99_998]] = [1, 300, 2]
    data = base64.b64decode(packed.counts(values))
    assert list(data) == [1, 0, 4, 300 & 127 | 128, 300 >> 7, 0, *_leb128(99_992), 2, 0, 1]


def _leb128(value: int) -> list[int]:
    return [value] if value < 128 else [value & 127 | 128, *_leb128(value >> 7)]
