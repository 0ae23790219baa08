"""The results of the Evaluator as plain numbers, and its failed gates as sentences.

TFMA's own intervals, by jackknife or bootstrap, compute every metric on twenty resamples; components/intervals.py
computes them from the counts.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from components.contracts import features as f
from components.contracts import metrics
from components.contracts.gates import BINS
from components.contracts.metrics import METRICS
from components.intervals import Estimate, f1_score, proportion


@dataclasses.dataclass(frozen=True)
class ClassResult:
    """The metrics of one class; None where there is no image to measure on."""

    name: str
    pictures: int  # of this class in the split
    predicted: int  # images that the model put into this class
    recall: Estimate | None
    precision: Estimate | None
    f1: Estimate | None


@dataclasses.dataclass(frozen=True)
class SliceResult:
    """The accuracy in a bin of brightness or size."""

    by: str  # "brightness" or "size"
    name: str  # of the bin, as components/evaluator/slices.py names it
    pictures: int
    accuracy: Estimate


@dataclasses.dataclass(frozen=True)
class CalibrationBin:
    """The images whose prediction had a confidence (its probability) in [low, high)."""

    low: float
    high: float
    pictures: int
    confidence: float | None  # mean; None without images
    accuracy: float | None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The candidate's metrics on the test split."""

    pictures: int
    confidence: float  # of the intervals, in (0, 1)
    metrics: dict[str, Estimate | float]  # of contracts/metrics.py, as far as they have a meaning here
    classes: list[ClassResult]
    slices: list[SliceResult]  # by brightness, then by size
    confusion_matrix: list[list[int]]  # [class][predicted class], in the order of `classes`
    unanswered: int  # images for which the model's probabilities were not finite
    calibration: list[CalibrationBin]
    baseline: dict[str, float] | None  # the baseline's metrics by name, where there was one

    @property
    def accuracy(self) -> Estimate:
        """The accuracy with its interval."""
        accuracy = self.metrics[metrics.ACCURACY]
        assert isinstance(accuracy, Estimate)
        return accuracy

    def to_dict(self) -> dict[str, Any]:
        """Return the same as nested dicts and lists, ready for JSON."""
        return dataclasses.asdict(self)

    def summary(self) -> dict[str, Any]:
        """Return all but the tables, as the result of a run stores it."""
        values = self.to_dict()
        measured: dict[str, Any] = values.pop("metrics")
        return measured | {key: values[key] for key in values if key not in ("confusion_matrix", "calibration")}


def read(evaluation_uri: str, confidence: float = 0.95) -> Evaluation:
    """Read the ModelEvaluation artifact at `evaluation_uri`; the intervals have the level `confidence`.

    Raises:
      ValueError: the artifact holds no metrics of the whole split: it had no image.
    """
    models = {model: values for model, values in _whole_split(evaluation_uri).items() if values}
    candidate = models.get("candidate") or models.get("")
    if candidate is None:
        raise ValueError(f"{evaluation_uri} holds no metrics of the test split")
    names: list[str] = json.loads(candidate["class_names"])
    matrix, unanswered, bins = _plots(evaluation_uri, len(names))
    return Evaluation(
        pictures=int(candidate[metrics.COUNT]),
        confidence=confidence,
        metrics={name: metric.estimate(candidate, confidence) for name, metric in METRICS.items() if name in candidate},
        classes=[_class_result(name, i, matrix, unanswered[i], confidence) for i, name in enumerate(names)],
        slices=_slices(evaluation_uri, confidence),
        confusion_matrix=matrix,
        unanswered=sum(unanswered),
        calibration=bins,
        baseline=_numbers(models.get("baseline")),
    )


def confusion(evaluation_uri: str) -> Counter[tuple[str, str]]:
    """Count the images of the whole split by class and predicted class; "" if the model gave no finite prediction."""
    models = _whole_split(evaluation_uri)
    names: list[str] = json.loads((models.get("candidate") or models.get("") or {}).get("class_names", "[]"))
    matrix, unanswered, _ = _plots(evaluation_uri, len(names))
    counts = {(name, predicted): count for name, row in zip(names, matrix) for predicted, count in zip(names, row)}
    return +Counter(counts | {(name, ""): count for name, count in zip(names, unanswered)})


def failures(evaluation_uri: str) -> list[str]:
    """Return why the model was not blessed: a sentence per missed threshold; empty if it was blessed."""
    import tensorflow_model_analysis as tfma

    result = tfma.load_validation_result(evaluation_uri)
    if result.validation_ok:
        return []
    models = _whole_split(evaluation_uri)
    # The whole split first, then the slices by name: the order in the artifact is the runner's.
    reasons = [
        _beside_guessing(failure, models, evaluation_uri)
        if failure.metric_key.name == metrics.OVER_MAJORITY
        else _failure(failure, _where(of_slice.slice_key), models)
        for of_slice in sorted(result.metric_validations_per_slice, key=lambda v: _slice_values(v.slice_key))
        for failure in of_slice.failures
    ]
    # Thresholds that no image was measured against.
    return reasons or ["the test split has no image to evaluate the model on"]


def _beside_guessing(failure: Any, models: dict[str, dict[str, Any]], evaluation_uri: str) -> str:
    """Return the sentence for a model that is not shown to be better than always guessing one class."""
    numbers = models.get("candidate") or models[""]
    low = numbers[metrics.bound_name(metrics.ACCURACY, "low")]
    share, limit = low - numbers[metrics.OVER_MAJORITY], failure.metric_threshold.value_threshold.lower_bound.value
    name = max(read(evaluation_uri).classes, key=lambda row: row.pictures).name
    is_not = f"is not {limit:.4f} above" if limit else "is below"
    return (
        f"the lower end of the interval of the accuracy, {low:.4f}, {is_not} {share:.4f}, the share of the most "
        f"frequent class {name!r}: the model is not shown to be better than always guessing that"
    )


def _failure(failure: Any, where: str, models: dict[str, dict[str, Any]]) -> str:
    """Return the sentence for a missed threshold; `where` names the slice."""
    key, threshold = failure.metric_key.name, failure.metric_threshold
    ends = {metrics.bound_name(name, "low"): name for name in METRICS}
    ends |= {metrics.bound_name(name, "high"): name for name in METRICS}
    metric = metrics.find(ends.get(key, key))
    name = metric.of_class if where.startswith(" of class") and metric.of_class else metric.label
    if failure.message:
        return f"{name}{where}: {' '.join(failure.message.split())}"
    if threshold.HasField("change_threshold"):
        value, before = (models[model][key] for model in ("candidate", "baseline"))
        worse, way = (before - value, "below") if metric.higher_is_better else (value - before, "above")
        allowed = abs(threshold.change_threshold.absolute.value)
        return (
            f"{name} {value:.4f}{where} is {worse:.4f} {way} the baseline's {before:.4f}; "
            f"at most {allowed:.4f} is allowed"
        )
    value, bounds = failure.metric_value.double_value.value, threshold.value_threshold
    if key in ends:
        name = f"the {'lower' if bounds.HasField('lower_bound') else 'upper'} end of the interval of the {name},"
        value_and_where = f"{name} {value:.4f}{where},"
    else:
        value_and_where = f"{name} {value:.4f}{where}"
    if bounds.HasField("upper_bound"):
        ceiling = bounds.upper_bound.value
        return f"{value_and_where} is over the maximum {ceiling:.4f} (by {value - ceiling:.4f})"
    minimum = bounds.lower_bound.value
    return f"{value_and_where} is below the minimum {minimum:.4f} (by {minimum - value:.4f})"


def _where(slice_key: Any) -> str:
    kinds = {**BINS, f.CLASS_NAME: "class"}
    values = zip(slice_key.single_slice_keys, _slice_values(slice_key))
    return "".join(f" of {kinds.get(key.column, key.column)} {value!r}" for key, value in values)


def _class_result(name: str, i: int, matrix: list[list[int]], unanswered: int, confidence: float) -> ClassResult:
    hits, images, predicted = matrix[i][i], sum(matrix[i]) + unanswered, sum(row[i] for row in matrix)
    return ClassResult(
        name=name,
        pictures=images,
        predicted=predicted,
        recall=proportion(hits, images, confidence) if images else None,
        precision=proportion(hits, predicted, confidence) if predicted else None,
        f1=f1_score(hits, images, predicted, confidence) if images + predicted else None,
    )


def _by_slice(evaluation_uri: str) -> Iterator[tuple[Any, dict[str, dict[str, Any]]]]:
    """Yield each slice's key, and its metrics by model ("", or "candidate" beside "baseline") and name."""
    import tensorflow_model_analysis as tfma

    for of_slice in tfma.load_metrics(evaluation_uri):
        models: dict[str, dict[str, Any]] = {}
        for item in of_slice.metric_keys_and_values:
            if not item.key.is_diff:
                kind = item.value.WhichOneof("type")
                value = item.value.double_value.value if kind == "double_value" else item.value.bytes_value
                models.setdefault(item.key.model_name, {})[item.key.name] = value
        yield of_slice.slice_key, models


def _whole_split(evaluation_uri: str) -> dict[str, dict[str, Any]]:
    """Return the metrics of the overall slice, as `_by_slice` has them; none if it had no image."""
    return next((models for key, models in _by_slice(evaluation_uri) if not key.single_slice_keys), {})


def _slices(evaluation_uri: str, confidence: float) -> list[SliceResult]:
    """Return the candidate's metrics in every bin that has an image."""
    results = []
    for key, models in _by_slice(evaluation_uri):
        columns = [each.column for each in key.single_slice_keys]
        if len(columns) == 1 and columns[0] in BINS:
            numbers = models.get("candidate") or models[""]
            accuracy = METRICS[metrics.ACCURACY].estimate(numbers, confidence)
            assert isinstance(accuracy, Estimate)
            (name,) = _slice_values(key)
            results.append(SliceResult(BINS[columns[0]], name, int(numbers[metrics.COUNT]), accuracy))
    return sorted(results, key=lambda result: (result.by, float(result.name.split()[0])))


def _plots(evaluation_uri: str, classes: int) -> tuple[list[list[int]], list[int], list[CalibrationBin]]:
    """Return the candidate's confusion matrix, unanswered images by class, and calibration: overall slice."""
    import tensorflow_model_analysis as tfma

    matrix, unanswered = [[0] * classes for _ in range(classes)], [0] * classes
    bins: list[CalibrationBin] = []
    for of_slice in tfma.load_plots(evaluation_uri):
        if of_slice.slice_key.single_slice_keys:
            continue
        for item in of_slice.plot_keys_and_values:
            if item.key.model_name == "baseline":
                continue
            for matrix_proto in item.value.multi_class_confusion_matrix_at_thresholds.matrices:
                for entry in matrix_proto.entries:
                    actual, predicted = entry.actual_class_id, entry.predicted_class_id
                    count = round(entry.num_weighted_examples)
                    if predicted < 0:
                        unanswered[actual] += count
                    else:
                        matrix[actual][predicted] += count
            bins.extend(_bin(bucket) for bucket in item.value.calibration_histogram_buckets.buckets)
    return matrix, unanswered, bins


def _bin(bucket: Any) -> CalibrationBin:
    images = round(bucket.num_weighted_examples.value)
    return CalibrationBin(
        low=bucket.lower_threshold_inclusive,
        high=bucket.upper_threshold_exclusive,
        pictures=images,
        confidence=bucket.total_weighted_refined_prediction.value / images if images else None,
        accuracy=bucket.total_weighted_label.value / images if images else None,
    )


def _numbers(metrics: dict[str, Any] | None) -> dict[str, float] | None:
    return {k: v for k, v in sorted(metrics.items()) if isinstance(v, float)} if metrics else None


def _slice_values(slice_key: Any) -> tuple[str, ...]:
    keys: Iterable[Any] = slice_key.single_slice_keys
    return tuple(key.bytes_value.decode(errors="replace") for key in keys)
