"""What is read off the recorded answers."""

from __future__ import annotations

import numpy as np
import pytest

from components.contracts.predictions import Predictions
from components.report import predictions


def answers(label: list[int], predicted: list[int], confidence: list[float]) -> Predictions:
    probabilities = np.zeros((len(label), 4), np.float32)
    probabilities[np.arange(len(label)), predicted] = confidence
    names = np.array([f"{i}.png" for i in range(len(label))])
    return Predictions(names, names, np.array(label), np.array(predicted), probabilities)


def test_coverage_counts_the_most_confident_first() -> None:
    shares, accuracy = predictions.coverage(answers([0, 1, 2, 3], [0, 1, 0, 0], [0.6, 0.9, 0.8, 0.5]))
    assert shares == [0.25, 0.5, 0.75, 1.0]
    assert accuracy == [1.0, 0.5, pytest.approx(2 / 3), 0.5]


def test_the_lowest_margins_are_those_of_the_two_best_classes() -> None:
    close = answers([0, 1, 2], [0, 0, 2], [0.5, 0.6, 0.4])
    close.probabilities[:, 3] = [0.1, 0.55, 0.3]
    assert predictions.margin(close) == pytest.approx([0.4, 0.05, 0.1])
    assert predictions.narrow(close, 2) == [1, 2]


def test_right_answers_are_as_many_of_each_class() -> None:
    many = answers([0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 0, 2], [0.5, 0.9, 0.7, 0.8, 0.9, 0.6])
    assert predictions.examples(many, 6) == [1, 2, 3, 5], "two of a class, the most confident first; row 4 is wrong"
    assert predictions.examples(many, 2) == [1, 3], "one of each while there is room"


def test_mistakes_are_the_most_confident_wrong_answers() -> None:
    wrong = answers([0, 1, 2, 3], [1, 1, 0, 0], [0.6, 0.9, 0.8, 0.7])
    assert predictions.mistakes(wrong, 2) == [2, 3]


def test_cells_share_the_room() -> None:
    """One of every cell before the second of any, mistakes before right answers, no more than `each`."""
    many = answers([0] * 5 + [1, 1], [0] * 5 + [0, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    assert list(predictions.cells(many, 2)) == [(1, 0, 5), (0, 0, 0), (1, 0, 6), (0, 0, 1)]


def test_changes_are_tested_by_mcnemar() -> None:
    ten = [0] * 10
    candidate = answers(ten, [0] * 9 + [1], [0.5] * 10)
    baseline = answers(ten, [1] * 6 + [0] * 4, [0.5] * 10)
    found = predictions.changes(candidate, baseline)
    assert found is not None
    assert (found.gained, found.lost) == ([0, 1, 2, 3, 4, 5], [9])
    assert found.p == pytest.approx(2 * (1 + 7) / 2**7)  # two-sided: 0 or 1 of 7, and as far on the other side
    same = predictions.changes(candidate, candidate)
    assert same == predictions.Changes(gained=[], lost=[], p=1.0)


def test_changes_need_the_same_images() -> None:
    assert predictions.changes(answers([0, 1], [0, 1], [0.5, 0.5]), answers([0], [0], [0.5])) is None
