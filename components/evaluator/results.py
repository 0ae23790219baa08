"""A finished evaluation in plain numbers, and in plain words what a model failed.

The intervals are of the test pictures as a random sample of all pictures:
- accuracy, top-k accuracy, recall, precision: Wilson's score interval of a proportion (Wilson, 1927).
- F1: TP / (TP + FP + FN) is a proportion p, and F1 = 2p / (1 + p) grows with it, so that Wilson's interval of
  p carries over (the "Wilson indirect" method; Lam, Gopal and Qian, "Confidence intervals for the F1 score: a
  comparison of four methods", arXiv:2309.14621).
- cross entropy: a mean over pictures, so normal by the central limit theorem, with its standard error.
TFMA's own intervals, by jackknife or bootstrap, compute every metric on twenty resamples.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A metric and its confidence interval."""

    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class ClassResult:
    """One class. What has no picture to be measured on is None."""

    name: str
    pictures: int  # of this class in the split
    predicted: int  # pictures that the model put into this class
    recall: Estimate | None
    precision: Estimate | None
    f1: Estimate | None


@dataclasses.dataclass(frozen=True)
class SliceResult:
    """The pictures of a like brightness or size."""

    by: str  # "brightness" or "size"
    name: str  # of the bin, as components/evaluator/slices.py names it
    pictures: int
    accuracy: Estimate


@dataclasses.dataclass(frozen=True)
class CalibrationBin:
    """The pictures whose answer had a confidence (its probability) in [low, high)."""

    low: float
    high: float
    pictures: int
    confidence: float | None  # mean; None without pictures
    accuracy: float | None


@dataclasses.dataclass(frozen=True)
class Results:
    """What the Evaluator measured of the candidate on the test split."""

    pictures: int
    confidence: float  # of the intervals, in (0, 1)
    accuracy: Estimate
    top_k: dict[str, Estimate]  # "top_2_accuracy", "top_3_accuracy", as far as there are more classes than k
    cross_entropy: Estimate  # nats
    expected_calibration_error: float
    classes: list[ClassResult]
    slices: list[SliceResult]  # by brightness, then by size
    confusion_matrix: list[list[int]]  # [class][predicted class], in the order of `classes`
    unanswered: int  # pictures for which the model's probabilities were not finite
    calibration: list[CalibrationBin]
    baseline: dict[str, float] | None  # the baseline's metrics by name, where there was one

    def to_dict(self) -> dict[str, Any]:
        """The same as nested dicts and lists, ready for JSON."""
        return dataclasses.asdict(self)


def read(evaluation_uri: str, confidence: float = 0.95) -> Results:
    """Reads the ModelEvaluation artifact at `evaluation_uri`; the intervals have the level `confidence`.

    Raises:
      ValueError: the artifact holds no metrics of the whole split: it had no picture.
    """
    import tensorflow_model_analysis as tfma

    metrics = {model: values for model, values in _whole_split(evaluation_uri).items() if values}
    candidate = metrics.get("candidate") or metrics.get("")
    if candidate is None:
        raise ValueError(f"{evaluation_uri} holds no metrics of the test split")
    names: list[str] = json.loads(candidate["class_names"])
    matrix, unanswered, bins = _plots(tfma, evaluation_uri, len(names))
    pictures = int(candidate["example_count"])

    def share(metric: str) -> Estimate:
        return proportion(round(candidate[metric] * pictures), pictures, confidence)

    return Results(
        pictures=pictures,
        confidence=confidence,
        accuracy=share("accuracy"),
        top_k={name: share(name) for name in sorted(candidate) if name.startswith("top_")},
        cross_entropy=mean(candidate["cross_entropy"], candidate["cross_entropy_standard_error"], confidence),
        expected_calibration_error=candidate["expected_calibration_error"],
        classes=[_class_result(name, i, matrix, unanswered[i], confidence) for i, name in enumerate(names)],
        slices=_slices(evaluation_uri, confidence),
        confusion_matrix=matrix,
        unanswered=sum(unanswered),
        calibration=bins,
        baseline=_numbers(metrics.get("baseline")),
    )


def failures(evaluation_uri: str) -> list[str]:
    """Why the model was not blessed: a sentence for each threshold it missed; empty if it was blessed."""
    import tensorflow_model_analysis as tfma

    result = tfma.load_validation_result(evaluation_uri)
    if result.validation_ok:
        return []
    models = _whole_split(evaluation_uri)
    reasons = []
    # The whole split first, then the classes by name: the order in the artifact is the runner's.
    for of_slice in sorted(result.metric_validations_per_slice, key=lambda v: _slice_values(v.slice_key)):
        where = "".join(f" of class {value!r}" for value in _slice_values(of_slice.slice_key))
        for failure in of_slice.failures:
            name = failure.metric_key.name.replace("_", " ")
            name = "recall" if where and name == "accuracy" else name
            threshold = failure.metric_threshold
            if failure.message:
                reasons.append(f"{name}{where}: {' '.join(failure.message.split())}")
            elif threshold.HasField("change_threshold"):
                value, before = (models[m][failure.metric_key.name] for m in ("candidate", "baseline"))
                allowed = abs(threshold.change_threshold.absolute.value)
                reasons.append(
                    f"{name} {value:.4f}{where} is {before - value:.4f} below the baseline's {before:.4f}; "
                    f"at most {allowed:.4f} is allowed"
                )
            else:
                value, floor = (
                    failure.metric_value.double_value.value,
                    threshold.value_threshold.lower_bound.value,
                )
                reasons.append(f"{name} {value:.4f}{where} is under the floor {floor:.4f} (by {floor - value:.4f})")
    if not reasons:  # thresholds that no picture was measured against
        reasons.append("the test split has no picture to evaluate the model on")
    return reasons


def proportion(hits: int, trials: int, confidence: float) -> Estimate:
    """`hits` of `trials` (at least one) with Wilson's score interval."""
    from scipy.stats import binomtest

    interval = binomtest(hits, trials).proportion_ci(confidence, method="wilson")
    return Estimate(hits / trials, float(interval.low), float(interval.high))


def f1_score(hits: int, pictures: int, predicted: int, confidence: float) -> Estimate:
    """F1 of a class: `hits` right answers, `pictures` in it and `predicted` put into it (not both zero)."""
    share = proportion(hits, pictures + predicted - hits, confidence)
    return Estimate(*(2 * p / (1 + p) for p in (share.value, share.low, share.high)))


def mean(value: float, standard_error: float, confidence: float) -> Estimate:
    """A mean that cannot be negative, with the normal interval of its standard error."""
    from scipy.stats import norm

    margin = float(norm.ppf((1 + confidence) / 2)) * standard_error
    return Estimate(value, max(value - margin, 0.0), value + margin)


def _class_result(name: str, i: int, matrix: list[list[int]], unanswered: int, confidence: float) -> ClassResult:
    hits, pictures, predicted = matrix[i][i], sum(matrix[i]) + unanswered, sum(row[i] for row in matrix)
    return ClassResult(
        name=name,
        pictures=pictures,
        predicted=predicted,
        recall=proportion(hits, pictures, confidence) if pictures else None,
        precision=proportion(hits, predicted, confidence) if predicted else None,
        f1=f1_score(hits, pictures, predicted, confidence) if pictures + predicted else None,
    )


def _whole_split(evaluation_uri: str) -> dict[str, dict[str, Any]]:
    """The overall slice's metrics by model ("" without a baseline, else "candidate", "baseline") and name."""
    import tensorflow_model_analysis as tfma

    for of_slice in tfma.load_metrics(evaluation_uri):
        if not of_slice.slice_key.single_slice_keys:
            return _by_model(of_slice)
    return {}


def _slices(evaluation_uri: str, confidence: float) -> list[SliceResult]:
    """The candidate in every bin that has a picture."""
    import tensorflow_model_analysis as tfma

    by = {"brightness_bin": "brightness", "size_bin": "size"}
    found = []
    for of_slice in tfma.load_metrics(evaluation_uri):
        keys = of_slice.slice_key.single_slice_keys
        if len(keys) == 1 and keys[0].column in by:
            models = _by_model(of_slice)
            metrics = models.get("candidate") or models[""]
            pictures = int(metrics["example_count"])
            accuracy = proportion(round(metrics["accuracy"] * pictures), pictures, confidence)
            (name,) = _slice_values(of_slice.slice_key)
            found.append(SliceResult(by[keys[0].column], name, pictures, accuracy))
    return sorted(found, key=lambda one: (one.by, float(one.name.split()[0])))


def _by_model(of_slice: Any) -> dict[str, dict[str, Any]]:
    models: dict[str, dict[str, Any]] = {}
    for item in of_slice.metric_keys_and_values:
        if not item.key.is_diff:
            kind = item.value.WhichOneof("type")
            value = item.value.double_value.value if kind == "double_value" else item.value.bytes_value
            models.setdefault(item.key.model_name, {})[item.key.name] = value
    return models


def _plots(tfma: Any, evaluation_uri: str, classes: int) -> tuple[list[list[int]], list[int], list[CalibrationBin]]:
    """The candidate's confusion matrix, unanswered pictures by class, and calibration: overall slice."""
    matrix, unanswered = [[0] * classes for _ in range(classes)], [0] * classes
    bins: list[CalibrationBin] = []
    for of_slice in tfma.load_plots(evaluation_uri):
        if of_slice.slice_key.single_slice_keys:
            continue
        for item in of_slice.plot_keys_and_values:
            if item.key.model_name == "baseline":
                continue
            for one in item.value.multi_class_confusion_matrix_at_thresholds.matrices:
                for entry in one.entries:
                    actual, predicted = entry.actual_class_id, entry.predicted_class_id
                    count = round(entry.num_weighted_examples)
                    if predicted < 0:
                        unanswered[actual] += count
                    else:
                        matrix[actual][predicted] += count
            bins.extend(_bin(bucket) for bucket in item.value.calibration_histogram_buckets.buckets)
    return matrix, unanswered, bins


def _bin(bucket: Any) -> CalibrationBin:
    pictures = round(bucket.num_weighted_examples.value)
    return CalibrationBin(
        low=bucket.lower_threshold_inclusive,
        high=bucket.upper_threshold_exclusive,
        pictures=pictures,
        confidence=bucket.total_weighted_refined_prediction.value / pictures if pictures else None,
        accuracy=bucket.total_weighted_label.value / pictures if pictures else None,
    )


def _numbers(metrics: dict[str, Any] | None) -> dict[str, float] | None:
    return {k: v for k, v in sorted(metrics.items()) if isinstance(v, float)} if metrics else None


def _slice_values(slice_key: Any) -> tuple[str, ...]:
    keys: Iterable[Any] = slice_key.single_slice_keys
    return tuple(key.bytes_value.decode(errors="replace") for key in keys)
