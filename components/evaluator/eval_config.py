"""TFMA's configuration: the metrics, the slices, and the gates that a model must pass to be blessed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from tensorflow_model_analysis.proto import config_pb2
from tfx.utils import proto_utils

from components.contracts import features as f
from components.contracts import gates as contract
from components.contracts.gates import Gate
from components.contracts.metrics import METRICS
from components.evaluator import metrics, slices

_SLICES = {
    "overall": [config_pb2.SlicingSpec()],
    "class": [config_pb2.SlicingSpec(feature_keys=[f.CLASS_NAME])],
    "slice": [config_pb2.SlicingSpec(feature_keys=[key]) for key in (slices.BRIGHTNESS, slices.SIZE)],
}


def eval_config(gates: Iterable[Gate], confidence: float) -> config_pb2.EvalConfig:
    """Return the EvalConfig for TFX's Evaluator.

    Args:
      gates: that a model must pass; without a baseline the Evaluator leaves those of a drop out.
      confidence: level of the intervals whose ends are held against a bound.
    """
    thresholds: dict[str, list[config_pb2.PerSliceMetricThreshold]] = {}
    bounds: dict[str, float] = {}
    for gate in gates:
        if gate.on != "value":
            bounds[gate.metric] = confidence
        # A plain threshold would hold in every slice; these hold in the slices that they name.
        per_slice = config_pb2.PerSliceMetricThreshold(slicing_specs=_SLICES[gate.scope], threshold=_threshold(gate))
        thresholds.setdefault(gate.measured_as, []).append(per_slice)
    classification = config_pb2.MetricConfig(
        class_name=metrics.Classification.__name__,
        module=metrics.__name__,
        config=json.dumps({"bounds": bounds}) if bounds else "",
    )
    spec = config_pb2.MetricsSpec(metrics=[classification])
    for name, of_metric in thresholds.items():
        spec.per_slice_thresholds[name].thresholds.extend(of_metric)
    return config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(signature_name=f.SERVING_DEFAULT, label_key=f.CLASS_NAME)],
        slicing_specs=[spec for specs in _SLICES.values() for spec in specs],
        metrics_specs=[spec],
        options=config_pb2.Options(include_default_metrics={"value": False}),
    )


def with_limits(config: str, limits: Mapping[str, float]) -> str:
    """Return the JSON of an EvalConfig with other bounds, by the keys of its gates."""
    stored = json.loads(config)
    gates = [gate.with_limit(limits.get(gate.key, gate.limit)) for gate in contract.of_eval_config(stored)]
    classification = stored["metrics_specs"][0]["metrics"][0]
    bounds = json.loads(classification.get("config") or "{}").get("bounds", {})
    return str(proto_utils.proto_to_json(eval_config(gates, next(iter(bounds.values()), 0.0))))


def _threshold(gate: Gate) -> config_pb2.MetricThreshold:
    if gate.max_drop is None:
        end = "lower_bound" if gate.bound == "minimum" else "upper_bound"
        return config_pb2.MetricThreshold(
            value_threshold=config_pb2.GenericValueThreshold(**{end: {"value": gate.limit}})
        )
    allowed = gate.max_drop + contract.ROUNDING
    higher = METRICS[gate.metric].higher_is_better
    direction = config_pb2.MetricDirection.HIGHER_IS_BETTER if higher else config_pb2.MetricDirection.LOWER_IS_BETTER
    change = config_pb2.GenericChangeThreshold(absolute={"value": -allowed if higher else allowed}, direction=direction)
    return config_pb2.MetricThreshold(change_threshold=change)
