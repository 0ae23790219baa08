"""Precision-recall curves and averages, against figures by hand and scikit-learn's."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, classification_report

from components.contracts.evaluation import ClassResult
from components.contracts.predictions import Predictions
from components.intervals import f1_score, proportion
from components.report import curves


def answers(label: list[int], probabilities: list[list[float]]) -> Predictions:
    scores = np.array(probabilities, np.float32)
    names = np.array([f"{i}.png" for i in range(len(label))])
    return Predictions(names, names, np.array(label), scores.argmax(axis=1), scores)


def test_a_curve_by_hand() -> None:
    """Images of class 0 at ranks 1 and 3 of 4: precision 1 at recall 1/2, 2/3 at recall 1."""
    ranked = answers([0, 1, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    curve, _ = curves.of_classes(ranked, 2)
    assert curve is not None
    points = set(zip(curve.recall.tolist(), curve.precision.round(6).tolist()))
    assert {(0.0, 1.0), (0.5, 1.0), (0.5, 0.5), (1.0, 0.666667)} <= points
    assert curve.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_the_average_precision_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    scores = rng.dirichlet([1, 1, 1], 200).round(2)  # with ties
    many = answers(labels.tolist(), scores.tolist())
    for i, curve in enumerate(curves.of_classes(many, 3)):
        assert curve is not None
        wanted = average_precision_score(labels == i, many.probabilities[:, i])
        assert curve.average_precision == pytest.approx(wanted)


def test_a_class_without_an_image_has_no_curve() -> None:
    few = answers([0, 1], [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    assert [curve is None for curve in curves.of_classes(few, 4)] == [False, False, True, True]
    assert curves.pack(curves.of_classes(few, 4))[2:] == [None, None]


def test_a_packed_curve_is_short_and_keeps_its_ends() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 5000)
    first = rng.random(5000)
    (curve, _) = curves.of_classes(answers(labels.tolist(), np.stack([first, 1 - first], axis=1).tolist()), 2)
    assert curve is not None
    (packed,) = curves.pack([curve])
    points = np.frombuffer(base64.b64decode(str(packed)), "<u2").reshape(-1, 2) / curves.SCALE
    assert len(points) <= curves.POINTS
    assert points[0].tolist() == [0.0, 1.0]
    assert points[-1] == pytest.approx([1.0, curve.precision[-1]], abs=1e-4)
    assert (np.diff(points[:, 0]) >= 0).all()


def test_the_averages_are_those_of_a_classification_report() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2] * 1)
    predicted = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0])  # class 2 is never predicted, class 3 has nothing
    rows = []
    for i in range(4):
        hits, own, said = ((labels == i) & (predicted == i)).sum(), (labels == i).sum(), (predicted == i).sum()
        hits, own, said = int(hits), int(own), int(said)
        rows.append(
            ClassResult(
                name=str(i),
                pictures=own,
                predicted=said,
                recall=proportion(hits, own, 0.95) if own else None,
                precision=proportion(hits, said, 0.95) if said else None,
                f1=f1_score(hits, own, said, 0.95) if own + said else None,
            )
        )
    wanted = classification_report(labels, predicted, output_dict=True, zero_division=0)
    macro, weighted = curves.averages(rows, [0.9, 0.5, 0.1, None])
    for average, key in ((macro, "macro avg"), (weighted, "weighted avg")):
        assert average.images == wanted[key]["support"]
        assert average.recall == pytest.approx(wanted[key]["recall"])
        assert average.precision == pytest.approx(wanted[key]["precision"])
        assert average.f1 == pytest.approx(wanted[key]["f1-score"])
    assert macro.average_precision == pytest.approx(0.5)
    assert weighted.average_precision == pytest.approx(0.6 * 0.9 + 0.3 * 0.5 + 0.1 * 0.1)


def test_without_predictions_there_is_no_average_precision() -> None:
    (row,) = [ClassResult("a", 2, 2, *[proportion(2, 2, 0.95)] * 3)]
    assert [average.average_precision for average in curves.averages([row], [None])] == [None, None]
    assert curves.averages([], []) == []
