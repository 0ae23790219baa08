"""The Evaluator's artifacts, read back: against the model asked directly, and in plain words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from components.contracts import checks, evaluation, gates, metrics
from components.contracts import features as f
from components.contracts.gates import Gate
from pipeline.runs.summary import metric_lines
from tests.datasets import DIGITS
from tests.evaluator.factories import digit_rows, evaluate, write_rows
from tests.evaluator.fakes import digit_centroids, save_standin

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("data") / "examples", digit_rows())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_standin(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Takes every 3 for an 8 and the other way round."""
    centroids = digit_centroids()
    centroids[[3, 8]] = centroids[[8, 3]]
    return save_standin(tmp_path_factory.mktemp("worse"), centroids=centroids)


@pytest.fixture(scope="module")
def first(examples: Path, model: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bool]:
    return evaluate(tmp_path_factory.mktemp("first"), examples, model)


def test_a_good_model_without_a_baseline_is_blessed(first: tuple[str, bool]) -> None:
    uri, blessed = first
    assert blessed
    assert evaluation.failures(uri) == []
    assert evaluation.read(uri).baseline is None


def test_the_results_are_what_the_model_answers(first: tuple[str, bool], model: str) -> None:
    import tensorflow as tf
    from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

    rows = digit_rows()
    pixels, labels = np.stack([row[0] for row in rows]), np.array([row[1] for row in rows])
    loaded = tf.saved_model.load(str(Path(model) / "Format-Serving"))
    answers = loaded.signatures[f.SERVE_TENSORS](pixels=tf.constant(pixels))
    predicted = answers[f.CLASS_INDEX].numpy()

    read = evaluation.read(first[0])
    assert read.pictures == len(rows)
    assert read.accuracy.value == pytest.approx((predicted == labels).mean())
    assert read.accuracy.low < read.accuracy.value < read.accuracy.high
    assert {name for name in read.metrics if name.startswith("top_")} == {"top_2_accuracy", "top_3_accuracy"}
    assert read.accuracy.value <= read.metrics["top_2_accuracy"].value <= read.metrics["top_3_accuracy"].value
    assert read.metrics["cross_entropy"].low < read.metrics["cross_entropy"].value < read.metrics["cross_entropy"].high
    np.testing.assert_array_equal(read.confusion_matrix, confusion_matrix(labels, predicted))
    assert [c.name for c in read.classes] == list(DIGITS)
    for metric, values in (
        ("recall", recall_score(labels, predicted, average=None)),
        ("precision", precision_score(labels, predicted, average=None)),
        ("f1", f1_score(labels, predicted, average=None)),
    ):
        for of_class, value in zip(read.classes, values):
            estimate = getattr(of_class, metric)
            assert estimate.value == pytest.approx(value)
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert sum(b.pictures for b in read.calibration) == len(rows)
    error = sum(abs(b.confidence - b.accuracy) * b.pictures for b in read.calibration if b.pictures)
    assert read.metrics["expected_calibration_error"] == pytest.approx(error / len(rows))
    assert json.loads(json.dumps(read.to_dict(), allow_nan=False))["classes"][3]["name"] == "3"


def test_slices_by_brightness_and_size_hold_every_image_once(first: tuple[str, bool], model: str) -> None:
    import tensorflow as tf

    from components.evaluator.slices import brightness_bin

    rows = digit_rows()
    pixels, labels = np.stack([row[0] for row in rows]), np.array([row[1] for row in rows])
    loaded = tf.saved_model.load(str(Path(model) / "Format-Serving"))
    right = loaded.signatures[f.SERVE_TENSORS](pixels=tf.constant(pixels))[f.CLASS_INDEX].numpy() == labels
    bins = np.array([brightness_bin(float(np.float32(picture.mean() / 255))) for picture in pixels])

    slices = evaluation.read(first[0]).slices
    (whole,) = (one for one in slices if one.by == "size")
    assert (whole.name, whole.pictures, whole.accuracy.value) == ("32 to 63 pixels", len(rows), right.mean())
    brightness = {one.name: one for one in slices if one.by == "brightness"}
    assert list(brightness) == sorted(set(bins))
    for name, one in brightness.items():
        assert one.pictures == (bins == name).sum()
        assert one.accuracy.value == pytest.approx(right[bins == name].mean())
        assert one.accuracy.low <= one.accuracy.value <= one.accuracy.high


def test_every_floor_that_is_missed_is_named(examples: Path, worse: str, tmp_path: Path) -> None:
    uri, blessed = evaluate(tmp_path, examples, worse, min_accuracy=0.9, min_class_recall=0.3)
    assert not blessed
    whole, three, eight = evaluation.failures(uri)
    read = evaluation.read(uri)
    short = 0.9 - read.accuracy.value
    assert whole == f"accuracy {read.accuracy.value:.4f} is below the minimum 0.9000 (by {short:.4f})"
    assert three.startswith("recall ")
    assert " of class '3' is below the minimum 0.3000 (by " in three
    assert " of class '8' is below the minimum 0.3000 (by " in eight


def test_a_model_worse_than_its_baseline_is_refused(examples: Path, model: str, worse: str, tmp_path: Path) -> None:
    uri, blessed = evaluate(tmp_path, examples, worse, baseline=model, min_class_recall=0)
    assert not blessed
    read = evaluation.read(uri)
    assert read.baseline is not None
    value, before = read.accuracy.value, read.baseline["accuracy"]
    assert evaluation.failures(uri) == [
        f"accuracy {value:.4f} is {before - value:.4f} below the baseline's {before:.4f}; at most 0.0100 is allowed"
    ]


def test_a_model_like_its_baseline_is_blessed_with_no_margin(examples: Path, model: str, tmp_path: Path) -> None:
    uri, blessed = evaluate(tmp_path, examples, model, baseline=model, max_drop=0)
    assert blessed
    assert evaluation.read(uri).baseline is not None


def test_a_baseline_with_other_classes_is_measured_by_its_answers(examples: Path, model: str, tmp_path: Path) -> None:
    backwards = save_standin(tmp_path / "9 to 1", DIGITS[:0:-1], digit_centroids()[:0:-1])
    uri, blessed = evaluate(tmp_path, examples, model, baseline=backwards)
    read = evaluation.read(uri)
    assert blessed
    assert read.baseline is not None
    # Better than chance by far, whatever the order of its classes; it cannot know a 0.
    assert 0.6 < read.baseline["accuracy"] <= 1 - read.classes[0].pictures / read.pictures
    assert [c.name for c in read.classes] == list(DIGITS)


def test_two_classes_with_hostile_names(tmp_path: Path) -> None:
    names = ("<script>\n", "猫 'n' \"dog\"")
    rows = [(pixels, label, names[label]) for pixels, label, _ in digit_rows(0, 300) if label < 2]
    examples = write_rows(tmp_path / "examples", rows)
    swapped = save_standin(tmp_path / "model", names, digit_centroids()[[1, 0]])
    uri, blessed = evaluate(tmp_path, examples, swapped, min_accuracy=0)
    assert not blessed
    read = evaluation.read(uri)
    assert [c.name for c in read.classes] == list(names)
    assert not [name for name in read.metrics if name.startswith("top_")]
    reasons = evaluation.failures(uri)
    assert [" of class '<script>\\n' is " in reasons[0], f" of class {names[1]!r} is " in reasons[1]] == [True] * 2
    assert all("\n" not in reason for reason in reasons)


def test_a_model_that_answers_with_no_numbers_is_refused(examples: Path, tmp_path: Path) -> None:
    broken = save_standin(tmp_path / "model", centroids=digit_centroids() * np.nan)
    uri, blessed = evaluate(tmp_path, examples, broken)
    assert not blessed
    read = evaluation.read(uri)
    assert (read.accuracy.value, read.unanswered) == (0, read.pictures)
    assert read.classes[0].recall is not None
    assert read.classes[0].precision is None


def test_an_empty_split_is_refused(model: str, tmp_path: Path) -> None:
    uri, blessed = evaluate(tmp_path, write_rows(tmp_path / "examples", []), model)
    assert not blessed
    assert evaluation.failures(uri) == ["the test split has no image to evaluate the model on"]
    with pytest.raises(ValueError, match="no metrics"):
        evaluation.read(uri)


def test_a_model_that_misses_listed_gates_is_refused_by_their_names(
    examples: Path, model: str, worse: str, tmp_path: Path
) -> None:
    held = [
        Gate(metric="macro_f1", minimum=0.9),
        Gate(metric="expected_calibration_error", maximum=0.01),
        Gate(metric="accuracy", minimum=0.7, on="interval"),
        Gate(metric="accuracy", scope="slice", minimum=1),
        Gate(metric="cross_entropy", max_drop=0),
    ]
    uri, blessed = evaluate(
        tmp_path, examples, worse, baseline=model, min_accuracy=0, min_class_recall=0, max_drop=1, gates=held
    )
    assert not blessed
    read = evaluation.read(uri)
    assert read.accuracy.value > 0.7 > read.accuracy.low
    said = evaluation.failures(uri)
    starts = [
        f"macro F1 {read.metrics['macro_f1']:.4f} is below the minimum 0.9000",
        f"expected calibration error {read.metrics['expected_calibration_error']:.4f} is over the maximum 0.0100",
        f"the lower end of the interval of the accuracy, {read.accuracy.low:.4f}, is below the minimum 0.7000",
        f"cross entropy {read.metrics['cross_entropy'].value:.4f} is ",  # type: ignore[union-attr]
        "accuracy ",
    ]
    assert all(any(line.startswith(start) for line in said) for start in starts), said
    assert any(" above the baseline's " in line for line in said)
    assert any(" of size '32 to 63 pixels' is below the minimum 1.0000" in line for line in said)
    rows = checks.check(gates.read(uri), read.summary(), "the baseline")
    failed = {row.name for row in rows if not row.passed}
    assert failed == {
        "macro F1",
        "expected calibration error",
        "accuracy",
        "accuracy of each slice",
        "cross entropy beside the baseline",
    }
    assert len(rows) == len(held) + 3, "without a floor, guessing is none either"


def guesses_the_first(folder: Path) -> str:
    """A model of two classes that always predicts the first."""
    centroids = digit_centroids()[:2]
    centroids[1] += 1000
    return save_standin(folder, ("often", "seldom"), centroids)


@pytest.mark.parametrize(("often", "seldom"), [(90, 10), (30, 30)], ids=["imbalanced", "balanced"])
def test_a_model_that_guesses_one_class_is_refused(often: int, seldom: int, tmp_path: Path) -> None:
    rows = [(digit_rows(i, i + 1)[0][0], 0, "often") for i in range(often)]
    rows += [(digit_rows(i, i + 1)[0][0], 1, "seldom") for i in range(often, often + seldom)]
    examples, model = write_rows(tmp_path / "examples", rows), guesses_the_first(tmp_path / "model")
    uri, blessed = evaluate(tmp_path / "1", examples, model, min_accuracy=None, min_class_recall=0)
    assert not blessed
    read = evaluation.read(uri)
    share = often / (often + seldom)
    assert read.accuracy.value == share
    assert evaluation.failures(uri) == [
        f"the lower end of the interval of the accuracy, {read.accuracy.low:.4f}, is below {share:.4f}, the share of "
        "the most frequent class 'often': the model is not shown to be better than always guessing that"
    ]
    first, *_ = checks.check(gates.read(uri), read.summary(), "")
    assert (first.passed, first.needed) == (
        False,
        f"lower end of the interval at least {share:.2%}, the share of 'often'",
    )
    lines = metric_lines(read.summary())
    assert lines[1] == (
        f"          not shown to be better than the majority-class rate: {share:.2%}, always predicting 'often'"
    )
    # A floor that is lower does not let it pass; none at all does.
    assert not evaluate(tmp_path / "2", examples, model, min_accuracy=0.1, min_class_recall=0)[1]
    assert evaluate(tmp_path / "3", examples, model, min_accuracy=0, min_class_recall=0)[1]


def test_a_margin_above_guessing_is_told(examples: Path, worse: str, tmp_path: Path) -> None:
    margin = Gate(metric="accuracy", minimum=0.9, on="majority")
    uri, blessed = evaluate(tmp_path, examples, worse, min_accuracy=None, min_class_recall=0, gates=[margin])
    assert not blessed
    (said,) = evaluation.failures(uri)
    assert " is not 0.9000 above 0.1" in said


def test_a_model_that_passes_listed_gates_is_blessed(examples: Path, model: str, tmp_path: Path) -> None:
    held = [Gate(metric="macro_f1", minimum=0.8), Gate(metric="accuracy", minimum=0.7, on="interval")]
    uri, blessed = evaluate(tmp_path, examples, model, gates=held)
    assert blessed
    assert all(row.passed for row in checks.check(gates.read(uri), evaluation.read(uri).summary(), ""))


def test_a_new_metric_is_a_row_of_the_table(
    examples: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user adds to contracts/metrics.py is measured, gated, and told by its label."""
    error_rate = metrics.Metric(
        "error_rate", "error rate", "The share of errors.", lambda tally: 1 - metrics.METRICS["accuracy"].compute(tally)
    )
    monkeypatch.setitem(metrics.METRICS, "error_rate", dataclasses.replace(error_rate, higher_is_better=False))
    uri, blessed = evaluate(tmp_path, examples, model, gates=[Gate(metric="error_rate", maximum=0.001)])
    assert not blessed
    measured = evaluation.read(uri)
    assert measured.metrics["error_rate"] == pytest.approx(1 - measured.accuracy.value)
    (said,) = evaluation.failures(uri)
    assert said.startswith(f"error rate {measured.metrics['error_rate']:.4f} is over the maximum 0.0010")
