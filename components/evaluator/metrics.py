"""The metrics of a classifier as one TFMA metric that passes over every image once per slice.

TFMA's own metrics do not fit every data set: top-3 fails with two classes, label indices are wrong for a baseline that
was trained with other classes, and together they take about five times the CPU. Here labels are class names, so a
baseline is measured correctly whatever the order of its classes.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from components.contracts import features as f
from components.contracts.metrics import ACCURACY, BINS, Prediction, Tally, numbers

NO_ANSWER = -1  # TFMA's class id for "nothing predicted": the probabilities are not finite
SMALLEST = 1e-7  # a probability counts as at least this much in the cross entropy, as in Keras


@dataclasses.dataclass
class ClassIndex:
    """The classes of a model, decoded once for all its images."""

    class_names: list[str] = dataclasses.field(default_factory=list)
    index: dict[str, int] = dataclasses.field(default_factory=dict)

    def prediction(self, class_name: str, outputs: dict[str, np.ndarray]) -> Prediction:
        """Convert the signature's `outputs` for an image of the class `class_name`."""
        if not self.class_names:
            self.class_names = [name.decode() for name in outputs[f.CLASS_NAMES].reshape(-1)]
            self.index = {name: i for i, name in enumerate(self.class_names)}
        probabilities = np.asarray(outputs[f.PROBABILITIES], np.float64).reshape(-1).tolist()
        if not all(map(math.isfinite, probabilities)):
            return Prediction(class_name, self.class_names, NO_ANSWER, 0.0, None, -math.log(SMALLEST))
        confidence = max(probabilities)
        label = self.index.get(class_name)
        if label is None:
            rank, right = None, 0.0
        else:
            right = probabilities[label]
            # Equal probabilities rank in the order of the classes, as argmax has it.
            rank = sum(probability > right for probability in probabilities) + probabilities[:label].count(right)
        loss = -math.log(min(max(right, SMALLEST), 1.0))
        return Prediction(class_name, self.class_names, probabilities.index(confidence), confidence, rank, loss)


def confusion_matrix(tally: Tally) -> metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds:
    """Return the images by class and predicted class, as TFMA stores them."""
    ids = {name: i for i, name in enumerate(tally.all_names())}
    plot = metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds()
    matrix = plot.matrices.add(threshold=0.0)
    for name, predicted in sorted(tally.pairs, key=lambda pair: (ids[pair[0]], pair[1])):
        matrix.entries.add(
            actual_class_id=ids[name],
            predicted_class_id=predicted,
            num_weighted_examples=tally.pairs[name, predicted],
        )
    return plot


def calibration(tally: Tally) -> metrics_for_slice_pb2.CalibrationHistogramBuckets:
    """Return for each bin of confidence: images, their summed confidence, correct predictions."""
    plot = metrics_for_slice_pb2.CalibrationHistogramBuckets()
    for i, (images, confidence, hits) in enumerate(tally.bins):
        bucket = plot.buckets.add(lower_threshold_inclusive=i / BINS, upper_threshold_exclusive=(i + 1) / BINS)
        bucket.num_weighted_examples.value = images
        bucket.total_weighted_refined_prediction.value = confidence
        bucket.total_weighted_label.value = hits
    return plot


class _PredictionFn(tfma.metrics.Preprocessor):
    """Converts an image's outputs once, however many slices the image is in."""

    def __init__(self, model_name: str) -> None:
        super().__init__(name=f"answer {model_name}")
        self._model_name = model_name

    def setup(self) -> None:
        self._names = ClassIndex()

    def process(self, extracts: Any) -> Iterator[Prediction]:
        inputs = tfma.metrics.to_standard_metric_inputs(extracts)
        label = np.asarray(inputs.get_labels(model_name=self._model_name)).reshape(-1)[0]
        yield self._names.prediction(label.decode(), inputs.get_predictions(model_name=self._model_name))


class _TallyFn(beam.CombineFn):
    def __init__(self, model_name: str, bounds: Mapping[str, float]) -> None:
        self._model_name = model_name
        self._bounds = bounds

    def create_accumulator(self) -> Tally:
        return Tally()

    def add_input(self, accumulator: Tally, element: Prediction) -> Tally:
        accumulator.add(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Tally]) -> Tally:
        merged = Tally()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: Tally) -> dict[Any, Any]:
        def key(kind: Any, name: str) -> Any:
            # Without a weight, as TFMA looks for the metrics that the thresholds of a MetricsSpec name.
            return kind(name=name, model_name=self._model_name, example_weighted=None)

        output: dict[Any, Any] = {
            key(tfma.metrics.MetricKey, name): value for name, value in numbers(accumulator, self._bounds).items()
        }
        output[key(tfma.metrics.MetricKey, f.CLASS_NAMES)] = json.dumps(accumulator.all_names()).encode()
        output[key(tfma.metrics.PlotKey, "confusion_matrix")] = confusion_matrix(accumulator)
        output[key(tfma.metrics.PlotKey, "calibration")] = calibration(accumulator)
        return output


def _computations(name: str, bounds: Mapping[str, float], model_names: list[str] | None = None) -> list[Any]:
    """Return one computation per model; `name` is the first of its metrics."""
    return [
        tfma.metrics.MetricComputation(
            keys=[tfma.metrics.MetricKey(name=name, model_name=model_name)],
            preprocessors=[_PredictionFn(model_name)],
            combiner=_TallyFn(model_name, bounds),
        )
        for model_name in model_names or [""]
    ]


class Classification(tfma.metrics.Metric):
    """All metrics of contracts/metrics.py, the confusion matrix and the calibration, for each model and slice."""

    def __init__(self, name: str = ACCURACY, bounds: Mapping[str, float] | None = None) -> None:
        """See contracts.metrics.numbers for `bounds`."""
        super().__init__(_computations, name=name, bounds=dict(bounds or {}))
