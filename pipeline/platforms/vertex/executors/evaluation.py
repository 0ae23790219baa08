"""The Evaluator's results as Vertex AI's ModelEvaluation, which the console shows beside a version.

The metrics follow `classification_metrics_1.0.0.yaml`, which has no field for top-k accuracy, calibration, intervals
and the baseline: those are in the metadata. Areas under curves are left out, because the Evaluator measures none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.cloud import aiplatform_v1 as v1

from components.contracts.evaluation import Evaluation
from components.contracts.metrics import value_of
from components.intervals import Estimate
from pipeline.platforms.vertex.cloud import TIMEOUT, retry_transient, retry_unsent

SCHEMA = "gs://google-cloud-aiplatform/schema/modelevaluation/classification_metrics_1.0.0.yaml"
CLASS, CUSTOM = "annotationSpec", "slice"  # the dimensions of slices that Vertex AI knows
AT_ONCE = 50  # slices that one request may have
SOURCE = "evaluation"  # key of the metadata: the Evaluator's artifact
_AT_ANY_CONFIDENCE = {"confidenceThreshold": 0.0, "maxPredictions": 1}


def message(measured: Evaluation, about: Mapping[str, Any]) -> v1.ModelEvaluation:
    """Return the evaluation of the whole test split.

    Args:
      measured: by the Evaluator.
      about: more metadata.
    """
    specs = [{"id": str(number), "displayName": one.name} for number, one in enumerate(measured.classes)]
    numbers = {
        "logLoss": value_of(measured.metrics["cross_entropy"]),
        "confusionMatrix": {"annotationSpecs": specs, "rows": measured.confusion_matrix},
        "confidenceMetrics": [
            _of_images(measured.accuracy, measured) | {"f1ScoreMacro": value_of(measured.metrics["macro_f1"])}
        ],
    }
    summary = measured.summary()
    return v1.ModelEvaluation(
        display_name="test split",
        metrics_schema_uri=SCHEMA,
        metrics=numbers,
        slice_dimensions=[CLASS, CUSTOM],
        metadata={
            "images": measured.pictures,
            "unanswered": measured.unanswered,
            "interval_confidence": measured.confidence,
            "metrics": {name: summary[name] for name in measured.metrics},
            **({"baseline": measured.baseline} if measured.baseline else {}),
            **about,
        },
    )


def slices(measured: Evaluation) -> list[v1.ModelEvaluationSlice]:
    """Return a slice for each class, and for each bin of brightness and size that has an image."""
    of_classes = []
    for one in measured.classes:
        numbers = {"recall": one.recall, "precision": one.precision, "f1Score": one.f1}
        known = {key: estimate.value for key, estimate in numbers.items() if estimate}
        of_classes.append(_slice({"dimension": CLASS, "value": one.name}, known))
    of_bins = [
        _slice(
            {
                "dimension": CUSTOM,
                "value": f"{one.by} {one.name}",
                "slice_spec": {"configs": {one.by: {"value": {"string_value": one.name}}}},
            },
            _of_images(one.accuracy, measured),
        )
        for one in measured.slices
    ]
    return of_classes + of_bins


def upload(client: v1.ModelServiceClient, version: str, measured: Evaluation, about: Mapping[str, Any]) -> str:
    """Import the evaluation and its slices, as far as they are missing; return the resource name.

    Args:
      client: of the Model Registry.
      version: projects/…/models/MODEL@VERSION.
      measured: by the Evaluator.
      about: more metadata; SOURCE tells this evaluation from another of the same version.
    """
    listed = client.list_model_evaluations(parent=version, retry=retry_transient(), timeout=TIMEOUT)
    name = next((one.name for one in listed if dict(one.metadata or {}).get(SOURCE) == about[SOURCE]), "")
    if not name:
        evaluation = message(measured, about)
        name = client.import_model_evaluation(
            parent=version, model_evaluation=evaluation, retry=retry_unsent(), timeout=TIMEOUT
        ).name
    found = client.list_model_evaluation_slices(parent=name, retry=retry_transient(), timeout=TIMEOUT)
    imported = {(one.slice_.dimension, one.slice_.value) for one in found}
    for dimension in (CLASS, CUSTOM):  # a request has slices of one kind
        missing = [
            one
            for one in slices(measured)
            if one.slice_.dimension == dimension and (dimension, one.slice_.value) not in imported
        ]
        for first in range(0, len(missing), AT_ONCE):
            client.batch_import_model_evaluation_slices(
                parent=name,
                model_evaluation_slices=missing[first : first + AT_ONCE],
                retry=retry_unsent(),
                timeout=TIMEOUT,
            )
    return name


def _slice(which: dict[str, Any], numbers: dict[str, float]) -> v1.ModelEvaluationSlice:
    return v1.ModelEvaluationSlice(
        slice_=which, metrics_schema_uri=SCHEMA, metrics={"confidenceMetrics": [_AT_ANY_CONFIDENCE | numbers]}
    )


def _of_images(accuracy: Estimate, measured: Evaluation) -> dict[str, float]:
    """Return the entry of confidenceMetrics for the class of highest probability, whatever its probability.

    Each image has one label and one prediction, so recall is the accuracy; precision too, if every image was answered.
    """
    numbers = {**_AT_ANY_CONFIDENCE, "recall": accuracy.value, "recallAt1": accuracy.value}
    if not measured.unanswered:
        numbers |= dict.fromkeys(("precision", "precisionAt1", "f1Score", "f1ScoreAt1", "f1ScoreMicro"), accuracy.value)
    return numbers
