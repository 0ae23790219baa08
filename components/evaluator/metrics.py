"""The metrics of a classifier, as one TFMA metric that goes through every picture once for each slice.

TFMA's own metrics would do the sums too, but not for every data set: its top-3 fails with two classes, its
label indices make nonsense of a baseline that was trained with other classes, and together they take about
five times the CPU. Here labels are class names, so that a baseline is measured by what it answers, whatever
order its classes have.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from components.contracts import features as f

ACCURACY = "accuracy"  # in the slice of a class this is the recall of the class
TOP_K = (2, 3)  # left out where there are not more than k classes
BINS = 15  # of equal width over the confidence: Guo et al., "On calibration of modern neural networks" (2017)
NO_ANSWER = -1  # TFMA's class id for "nothing predicted": the probabilities are not finite
SMALLEST = 1e-7  # a probability counts as at least this much in the cross entropy, as in Keras


def top_k_name(k: int) -> str:
    return f"top_{k}_accuracy"


class Answer(NamedTuple):
    """What a model answered to one picture."""

    class_name: str  # the right one
    class_names: list[str]  # of the model, in the order of its outputs; one list for all its answers
    predicted: int  # index; NO_ANSWER if the probabilities are not finite
    confidence: float  # the probability of `predicted`
    rank: int | None  # of the right class, from 0; None where the model does not know it or gives no answer
    loss: float  # cross entropy


@dataclasses.dataclass
class Names:
    """The classes of a model, decoded once for all its pictures."""

    class_names: list[str] = dataclasses.field(default_factory=list)
    index: dict[str, int] = dataclasses.field(default_factory=dict)

    def answer(self, class_name: str, outputs: dict[str, np.ndarray]) -> Answer:
        """Of the signature's `outputs` for a picture of the class `class_name`."""
        if not self.class_names:
            self.class_names = [name.decode() for name in outputs[f.CLASS_NAMES].reshape(-1)]
            self.index = {name: i for i, name in enumerate(self.class_names)}
        probabilities = np.asarray(outputs[f.PROBABILITIES], np.float64).reshape(-1).tolist()
        if not all(map(math.isfinite, probabilities)):
            return Answer(class_name, self.class_names, NO_ANSWER, 0.0, None, -math.log(SMALLEST))
        confidence = max(probabilities)
        label = self.index.get(class_name)
        if label is None:
            rank, right = None, 0.0
        else:
            right = probabilities[label]
            # Equal probabilities rank in the order of the classes, as argmax has it.
            rank = sum(one > right for one in probabilities) + probabilities[:label].count(right)
        loss = -math.log(min(max(right, SMALLEST), 1.0))
        return Answer(class_name, self.class_names, probabilities.index(confidence), confidence, rank, loss)


@dataclasses.dataclass
class Tally:
    """What is known of the pictures seen so far."""

    class_names: list[str] = dataclasses.field(default_factory=list)  # of the model, in the order of its outputs
    pairs: Counter[tuple[str, int]] = dataclasses.field(default_factory=Counter)  # (class, predicted index)
    top_k: Counter[int] = dataclasses.field(default_factory=Counter)
    losses: float = 0.0
    squared_losses: float = 0.0
    bins: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((BINS, 3)))  # pictures, confidence, hits

    def add(self, answer: Answer) -> None:
        self.class_names = answer.class_names
        self.pairs[answer.class_name, answer.predicted] += 1
        for k in TOP_K:
            self.top_k[k] += answer.rank is not None and answer.rank < k
        self.losses += answer.loss
        self.squared_losses += answer.loss * answer.loss
        self.bins[min(int(answer.confidence * BINS), BINS - 1)] += (1, answer.confidence, answer.rank == 0)

    def merge(self, other: Tally) -> None:
        self.class_names = self.class_names or other.class_names
        self.pairs += other.pairs
        self.top_k += other.top_k
        self.losses += other.losses
        self.squared_losses += other.squared_losses
        self.bins = self.bins + other.bins

    def numbers(self) -> dict[str, float]:
        """The metrics that are one number each."""
        count = sum(self.pairs.values())
        _, confidence, hits = self.bins.T
        mean_loss = self.losses / count
        variance = max(self.squared_losses / count - mean_loss**2, 0.0)
        return {
            "example_count": count,
            ACCURACY: hits.sum() / count,
            **{top_k_name(k): self.top_k[k] / count for k in TOP_K if k < len(self.class_names)},
            "cross_entropy": mean_loss,
            "cross_entropy_standard_error": math.sqrt(variance / count),
            "expected_calibration_error": float(np.abs(confidence - hits).sum() / count),
        }

    def all_names(self) -> list[str]:
        """The model's classes, then those that only the data has."""
        return self.class_names + sorted({name for name, _ in self.pairs} - set(self.class_names))

    def confusion_matrix(self) -> metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds:
        ids = {name: i for i, name in enumerate(self.all_names())}
        plot = metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds()
        matrix = plot.matrices.add(threshold=0.0)
        for name, predicted in sorted(self.pairs, key=lambda pair: (ids[pair[0]], pair[1])):
            matrix.entries.add(
                actual_class_id=ids[name],
                predicted_class_id=predicted,
                num_weighted_examples=self.pairs[name, predicted],
            )
        return plot

    def calibration(self) -> metrics_for_slice_pb2.CalibrationHistogramBuckets:
        """For each bin of the answer's confidence: pictures, their summed confidence, how many were right."""
        plot = metrics_for_slice_pb2.CalibrationHistogramBuckets()
        for i, (pictures, confidence, hits) in enumerate(self.bins):
            bucket = plot.buckets.add(lower_threshold_inclusive=i / BINS, upper_threshold_exclusive=(i + 1) / BINS)
            bucket.num_weighted_examples.value = pictures
            bucket.total_weighted_refined_prediction.value = confidence
            bucket.total_weighted_label.value = hits
        return plot


class _AnswerFn(tfma.metrics.Preprocessor):
    """Looks at a picture's outputs once, however many slices the picture is in."""

    def __init__(self, model_name: str) -> None:
        super().__init__(name=f"answer {model_name}")
        self._model_name = model_name

    def setup(self) -> None:
        self._names = Names()

    def process(self, extracts: Any) -> Iterator[Answer]:
        inputs = tfma.metrics.to_standard_metric_inputs(extracts)
        label = np.asarray(inputs.get_labels(model_name=self._model_name)).reshape(-1)[0]
        yield self._names.answer(label.decode(), inputs.get_predictions(model_name=self._model_name))


class _TallyFn(beam.CombineFn):
    def __init__(self, model_name: str, example_weighted: bool) -> None:
        self._model_name = model_name
        self._example_weighted = example_weighted

    def create_accumulator(self) -> Tally:
        return Tally()

    def add_input(self, accumulator: Tally, element: Answer) -> Tally:
        accumulator.add(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Tally]) -> Tally:
        merged = Tally()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: Tally) -> dict[Any, Any]:
        def key(kind: Any, name: str) -> Any:
            return kind(name=name, model_name=self._model_name, example_weighted=self._example_weighted)

        output: dict[Any, Any] = {
            key(tfma.metrics.MetricKey, name): value for name, value in accumulator.numbers().items()
        }
        output[key(tfma.metrics.MetricKey, f.CLASS_NAMES)] = json.dumps(accumulator.all_names()).encode()
        output[key(tfma.metrics.PlotKey, "confusion_matrix")] = accumulator.confusion_matrix()
        output[key(tfma.metrics.PlotKey, "calibration")] = accumulator.calibration()
        return output


def _computations(name: str, model_names: list[str] | None = None, example_weighted: bool = False) -> list[Any]:
    """`name` is the metric that the thresholds refer to; the others come with it."""
    return [
        tfma.metrics.MetricComputation(
            keys=[tfma.metrics.MetricKey(name=name, model_name=model_name, example_weighted=example_weighted)],
            preprocessors=[_AnswerFn(model_name)],
            combiner=_TallyFn(model_name, example_weighted),
        )
        for model_name in model_names or [""]
    ]


class Classification(tfma.metrics.Metric):
    """Accuracy, top-k, cross entropy, calibration and the confusion matrix, for each model and slice."""

    def __init__(self, name: str = ACCURACY) -> None:
        super().__init__(_computations, name=name)
