"""What TFMA measures, on which slices, and what a model must reach to be blessed."""

from __future__ import annotations

import tensorflow_model_analysis as tfma

from components.contracts import features as f
from components.evaluator import metrics, slices

ROUNDING = 1e-9  # a drop of exactly `max_drop` is allowed, whatever binary fractions make of it


def eval_config(min_accuracy: float, min_class_recall: float, max_drop: float) -> tfma.EvalConfig:
    """The EvalConfig for TFX's Evaluator.

    Args:
      min_accuracy: floor of the accuracy over the whole split, in [0, 1].
      min_class_recall: floor of the recall of every class that has a picture in the split, in [0, 1].
      max_drop: how much lower than the baseline's the accuracy may be, in [0, 1]; without a baseline the
        Evaluator leaves this threshold out.
    """
    whole, each_class = tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=[f.CLASS_NAME])
    # A plain threshold would hold in every slice; these hold in the slices they name.
    over_all = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": min_accuracy}),
        change_threshold=tfma.GenericChangeThreshold(
            absolute={"value": -max_drop - ROUNDING}, direction=tfma.MetricDirection.HIGHER_IS_BETTER
        ),
    )
    of_a_class = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": min_class_recall})
    )
    classification = tfma.MetricConfig(
        class_name=metrics.Classification.__name__,
        module=metrics.__name__,
        per_slice_thresholds=[
            tfma.PerSliceMetricThreshold(slicing_specs=[whole], threshold=over_all),
            tfma.PerSliceMetricThreshold(slicing_specs=[each_class], threshold=of_a_class),
        ],
    )
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name=f.SERVING_DEFAULT, label_key=f.CLASS_NAME)],
        slicing_specs=[
            whole,
            each_class,
            *(tfma.SlicingSpec(feature_keys=[key]) for key in (slices.BRIGHTNESS, slices.SIZE)),
        ],
        metrics_specs=[tfma.MetricsSpec(metrics=[classification])],
        options=tfma.Options(include_default_metrics={"value": False}),
    )
