"""The metrics of a classifier: the name, the label, the format, which way is better, and how each is computed.

All code that shows, compares or gates metrics uses METRICS: a new metric is a function and a row here.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from components.intervals import Estimate, mean, proportion

if TYPE_CHECKING:
    import numpy as np

COUNT = "example_count"  # images, beside the metrics
OVER_MAJORITY = "accuracy_over_majority"  # how far the interval of the accuracy begins above the majority_share
ACCURACY = "accuracy"  # in the slice of a class this is the recall of the class
TOP_K = (2, 3)  # left out where there are not more than k classes
BINS = 15  # of equal width over the confidence: Guo et al., "On calibration of modern neural networks" (2017)


class Prediction(NamedTuple):
    """A model's prediction for one image."""

    class_name: str  # the right one
    class_names: list[str]  # of the model, in the order of its outputs; one list for all its answers
    predicted: int  # index; below zero if the probabilities are not finite
    confidence: float  # the probability of `predicted`
    rank: int | None  # of the right class, from 0; None where the model does not know it or gives no answer
    loss: float  # cross entropy


def _no_bins() -> np.ndarray:
    import numpy as np  # the configuration knows the metrics, and is read before anything heavy is imported

    return np.zeros((BINS, 3))


@dataclasses.dataclass
class Tally:
    """The sums over predictions from which all metrics are computed."""

    class_names: list[str] = dataclasses.field(default_factory=list)  # of the model, in the order of its outputs
    pairs: Counter[tuple[str, int]] = dataclasses.field(default_factory=Counter)  # (class, predicted index)
    top_k: Counter[int] = dataclasses.field(default_factory=Counter)
    losses: float = 0.0
    squared_losses: float = 0.0
    bins: np.ndarray = dataclasses.field(default_factory=_no_bins)  # images, confidence, hits

    @property
    def count(self) -> int:
        """The number of images."""
        return self.pairs.total()

    @property
    def majority_share(self) -> float:
        """The share of the most frequent class: the accuracy of always guessing it."""
        of_class = Counter[str]()
        for (name, _), count in self.pairs.items():
            of_class[name] += count
        return max(of_class.values()) / self.count

    def add(self, prediction: Prediction) -> None:
        """Count a prediction."""
        self.class_names = prediction.class_names
        self.pairs[prediction.class_name, prediction.predicted] += 1
        for k in TOP_K:
            self.top_k[k] += prediction.rank is not None and prediction.rank < k
        self.losses += prediction.loss
        self.squared_losses += prediction.loss * prediction.loss
        self.bins[min(int(prediction.confidence * BINS), BINS - 1)] += (1, prediction.confidence, prediction.rank == 0)

    def merge(self, other: Tally) -> None:
        """Add what another tally counted."""
        self.class_names = self.class_names or other.class_names
        self.pairs += other.pairs
        self.top_k += other.top_k
        self.losses += other.losses
        self.squared_losses += other.squared_losses
        self.bins = self.bins + other.bins

    def all_names(self) -> list[str]:
        """Return the model's classes, then those that only the data has."""
        return self.class_names + sorted({name for name, _ in self.pairs} - set(self.class_names))


def _accuracy(tally: Tally) -> float:
    return float(tally.bins[:, 2].sum() / tally.count)


def _top(k: int) -> Callable[[Tally], float | None]:
    return lambda tally: tally.top_k[k] / tally.count if k < len(tally.class_names) else None


def _cross_entropy(tally: Tally) -> float:
    return tally.losses / tally.count


def _cross_entropy_error(tally: Tally) -> float:
    variance = max(tally.squared_losses / tally.count - _cross_entropy(tally) ** 2, 0.0)
    return math.sqrt(variance / tally.count)


def _calibration_error(tally: Tally) -> float:
    _, confidence, hits = tally.bins.T
    return float(abs(confidence - hits).sum() / tally.count)


def _macro_f1(tally: Tally) -> float:
    """Average F1 over the classes that have an image or a prediction."""
    of_class, answered, hits = Counter[str](), Counter[str](), Counter[str]()
    for (name, index), count in tally.pairs.items():
        predicted = tally.class_names[index] if index >= 0 else None
        of_class[name] += count
        if predicted is not None:
            answered[predicted] += count
            hits[predicted] += count * (predicted == name)
    names = of_class.keys() | answered.keys()
    return sum(2 * hits[name] / (of_class[name] + answered[name]) for name in names) / len(names)


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric that is one number.

    Attributes:
      name: in artifacts, in result.json and in `evaluator.gates`.
      label: for people.
      definition: a sentence, for people.
      compute: None where it has no meaning.
      standard_error: of a metric that is a mean over images; gives its interval.
      share: a fraction of the images, which has Wilson's interval.
      percent: shown in percent; its differences are in points.
      higher_is_better: else lower is.
      of_class: its name in the slice of a class; empty if it is measured only over the whole split.
    """

    name: str
    label: str
    definition: str
    compute: Callable[[Tally], float | None]
    standard_error: Callable[[Tally], float] | None = None
    share: bool = False
    percent: bool = True
    higher_is_better: bool = True
    of_class: str = ""

    @property
    def has_interval(self) -> bool:
        """True if it is estimated with a confidence interval."""
        return self.share or self.standard_error is not None

    def numbers(self, tally: Tally) -> dict[str, float]:
        """Compute the value and the numbers of its interval; empty if the metric is not defined here."""
        value = self.compute(tally)
        if value is None:
            return {}
        error = self.standard_error
        return {self.name: value} | ({f"{self.name}_standard_error": error(tally)} if error else {})

    def estimate(self, numbers: Mapping[str, Any], confidence: float) -> Estimate | float:
        """Return its value with the interval, where it has one, from the numbers of all metrics."""
        value = numbers[self.name]
        if self.share:
            return proportion(round(value * numbers[COUNT]), int(numbers[COUNT]), confidence)
        if self.standard_error:
            return mean(value, numbers[f"{self.name}_standard_error"], confidence)
        return float(value)

    def format(self, value: float) -> str:
        """Return a value as text."""
        return f"{value:.2%}" if self.percent else f"{value:.4f}"

    def format_difference(self, difference: float) -> str:
        """Return a difference of two values as text."""
        return f"{difference * 100:+.2f} points" if self.percent else f"{difference:+.4f}"

    def words(self, measured: Any) -> str:
        """Return a measured value as text, with its interval if it has one; see `value_of`."""
        value = self.format(value_of(measured))
        if not isinstance(measured, Mapping) or "low" not in measured:
            return value
        return f"{value} ({self.format(measured['low'])} to {self.format(measured['high'])})"

    def is_better(self, value: float, other: float) -> bool:
        """Return True if `value` is better than `other`."""
        return value > other if self.higher_is_better else value < other


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            ACCURACY,
            "accuracy",
            "The share of the images whose predicted class is the true class.",
            _accuracy,
            share=True,
            of_class="recall",
        ),
        *(
            Metric(
                f"top_{k}_accuracy",
                f"top-{k} accuracy",
                f"The share of the images whose true class is among the {k} classes of highest probability.",
                _top(k),
                share=True,
            )
            for k in TOP_K
        ),
        Metric("macro_f1", "macro F1", "The mean of the classes' F1, in which every class counts the same.", _macro_f1),
        Metric(
            "cross_entropy",
            "cross entropy",
            "The mean over the images of -ln(probability of the true class), in nats; 0 is perfect.",
            _cross_entropy,
            standard_error=_cross_entropy_error,
            percent=False,
            higher_is_better=False,
        ),
        Metric(
            "expected_calibration_error",
            "expected calibration error",
            f"The mean difference between confidence and accuracy over {BINS} bins of confidence, weighted by their "
            "images; 0% is perfect.",
            _calibration_error,
            higher_is_better=False,
        ),
    )
}
# What the pages explain where they use it: every metric by its label, and the words that are not metrics of their own.
DEFINITIONS = {metric.label: metric.definition for metric in METRICS.values()} | {
    "recall": "Of the images of a class, the share that was predicted as this class.",
    "precision": "Of the images predicted as a class, the share that are of this class.",
    "F1": "The harmonic mean of recall and precision.",
    "average precision": "The mean of the precisions along the precision-recall curve of a class against all others, "
    "each weighted by the increase in recall.",
    "coverage": "The share of the images whose prediction is used: its confidence reaches the threshold.",
    "macro average": "The mean over the classes, each of which counts the same.",
    "weighted average": "The mean over the classes, each of which counts as often as it has images.",
    "confidence": "The probability that the model gives to the class that it predicts.",
    "majority-class rate": "The accuracy of always predicting the most frequent class of the test images.",
    "excess errors": "The errors in a slice minus those that the overall accuracy predicts; below zero is better than "
    "average.",
    "interval": "A range that holds the true value with the stated confidence, given how few or many images were "
    "measured.",
}


def find(name: str) -> Metric:
    """Return the metric; a placeholder if it is no longer in the table."""
    return METRICS.get(name) or Metric(name, name.replace("_", " "), "", lambda tally: None, percent=False)


def numbers(tally: Tally, bounds: Mapping[str, float] | None = None) -> dict[str, float]:
    """Compute all metrics.

    Args:
      tally: of at least one image.
      bounds: the metrics whose interval is computed too, with its confidence level. TFMA compares only numbers with
        thresholds, so each end of an interval is a metric of its own: see `bound_name`.
    """
    values: dict[str, float] = {COUNT: tally.count}
    for metric in METRICS.values():
        values |= metric.numbers(tally)
    for name, confidence in (bounds or {}).items():
        estimate = METRICS[name].estimate(values, confidence) if name in values else None
        if isinstance(estimate, Estimate):
            values |= {bound_name(name, "low"): estimate.low, bound_name(name, "high"): estimate.high}
    if (low := bound_name(ACCURACY, "low")) in values:
        values[OVER_MAJORITY] = values[low] - tally.majority_share
    return values


def bound_name(metric: str, end: Literal["low", "high"]) -> str:
    """Return the name under which an end of the metric's interval is stored."""
    return f"{metric}_{end}"


def value_of(measured: Any) -> float:
    """Return the value of a metric in result.json, which is a number, or an estimate with its interval."""
    return float(measured["value"] if isinstance(measured, Mapping) else getattr(measured, "value", measured))
