"""One image after another, against scikit-learn over all of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts import features as f
from components.contracts.metrics import Tally, numbers
from components.evaluator.metrics import NO_ANSWER, ClassIndex, confusion_matrix

NAMES = ("cat", "dög", "<b>emu</b>\n", "フグ", "yak")


def outputs(probabilities: np.ndarray, names: tuple[str, ...] = NAMES) -> dict[str, np.ndarray]:
    encoded = np.array([name.encode() for name in names], object)
    return {f.CLASS_NAMES: encoded, f.PROBABILITIES: probabilities}


def tally(labels: np.ndarray, probabilities: np.ndarray, names: tuple[str, ...] = NAMES) -> Tally:
    result, model = Tally(), ClassIndex()
    for label, row in zip(labels, probabilities):
        result.add(model.prediction(names[label], outputs(row, names)))
    return result


def sample(count: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(classes), count).astype(np.float32)
    return random.integers(0, classes, count), probabilities


@settings(deadline=None, max_examples=25)
@given(count=st.integers(1, 60), classes=st.integers(2, 5), seed=st.integers(0, 2**32 - 1))
def test_the_metrics_are_those_of_scikit_learn(count: int, classes: int, seed: int) -> None:
    from sklearn import metrics

    labels, probabilities = sample(count, classes, seed)
    result = tally(labels, probabilities, NAMES[:classes])
    measured = numbers(result)
    ids = list(range(classes))
    assert measured["example_count"] == count
    assert measured["accuracy"] == pytest.approx(metrics.accuracy_score(labels, probabilities.argmax(axis=1)))
    held = numbers(result, {"accuracy": 0.9})
    share = np.bincount(labels).max() / count
    assert held["accuracy_over_majority"] == pytest.approx(held["accuracy_low"] - share)
    assert "accuracy_over_majority" not in measured
    macro_f1 = metrics.f1_score(labels, probabilities.argmax(axis=1), average="macro")
    assert measured["macro_f1"] == pytest.approx(macro_f1)
    for k in (2, 3):
        if k < classes:
            expected = metrics.top_k_accuracy_score(labels, probabilities, k=k, labels=ids)
            assert measured[f"top_{k}_accuracy"] == pytest.approx(expected)
        else:
            assert f"top_{k}_accuracy" not in measured
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows of float32 that do not add up to 1 in float64
        expected = metrics.log_loss(labels, np.clip(probabilities.astype(np.float64), 1e-7, 1), labels=ids)
    assert measured["cross_entropy"] == pytest.approx(expected, rel=1e-5)
    losses = -np.log(np.clip(probabilities[np.arange(count), labels].astype(np.float64), 1e-7, 1))
    assert measured["cross_entropy_standard_error"] == pytest.approx(losses.std() / np.sqrt(count), abs=1e-6, rel=1e-5)
    matrix = np.zeros((classes, classes), int)
    for entry in confusion_matrix(result).matrices[0].entries:
        matrix[entry.actual_class_id, entry.predicted_class_id] = entry.num_weighted_examples
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(labels, probabilities.argmax(axis=1), labels=ids))


@settings(deadline=None, max_examples=25)
@given(count=st.integers(2, 40), cut=st.integers(0, 40), seed=st.integers(0, 2**32 - 1))
def test_two_halves_merge_into_the_whole(count: int, cut: int, seed: int) -> None:
    labels, probabilities = sample(count, 5, seed)
    whole, half = tally(labels, probabilities), tally(labels[:cut], probabilities[:cut])
    half.merge(tally(labels[cut:], probabilities[cut:]))
    assert numbers(half) == pytest.approx(numbers(whole))
    assert confusion_matrix(half) == confusion_matrix(whole)
    assert half.all_names() == whole.all_names()


def test_calibration_error_is_that_of_its_definition() -> None:
    labels, probabilities = sample(500, 5, 0)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence.astype(np.float64) * 15).astype(int), 14)
    expected = sum(
        abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)
    )
    assert numbers(tally(labels, probabilities))["expected_calibration_error"] == pytest.approx(expected)


def test_equal_probabilities_rank_in_the_order_of_the_classes() -> None:
    even = np.full((5, 5), 0.2, np.float32)
    measured = numbers(tally(np.arange(5), even))
    assert [measured[k] for k in ("accuracy", "top_2_accuracy", "top_3_accuracy")] == [0.2, 0.4, 0.6]


def test_probabilities_that_are_no_numbers_are_no_answer() -> None:
    broken = np.full((5, 5), np.nan, np.float32)
    result = tally(np.arange(5), broken)
    measured = numbers(result)
    assert measured["accuracy"] == measured["top_3_accuracy"] == 0
    assert measured["cross_entropy"] == pytest.approx(-np.log(1e-7))
    assert {e.predicted_class_id for e in confusion_matrix(result).matrices[0].entries} == {NO_ANSWER}


def test_a_class_that_the_model_does_not_know_is_wrong_and_keeps_its_name() -> None:
    result = Tally()
    result.add(ClassIndex().prediction("zebra", outputs(np.array([0.9, 0.1, 0, 0, 0], np.float32))))
    assert numbers(result)["accuracy"] == 0
    assert result.all_names() == [*NAMES, "zebra"]
    entry = confusion_matrix(result).matrices[0].entries[0]
    assert (entry.actual_class_id, entry.predicted_class_id) == (5, 0)
