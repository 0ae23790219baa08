"""The gates that a model must pass to be blessed, and their form in TFMA's EvalConfig."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from components.contracts import features as f
from components.contracts import metrics, stored
from components.contracts.metrics import METRICS

EVAL_CONFIG_FILE = "eval_config.json"  # in the ModelEvaluation; the name is TFMA's
BINS = {"brightness_bin": "brightness", "size_bin": "size"}  # what TFMA slices by, beside the classes, in words
ROUNDING = 1e-9  # a drop of exactly `max_drop` is allowed, whatever binary fractions make of it

Bound = Literal["minimum", "maximum", "max_drop"]


class Gate(BaseModel):
    """A bound on a metric of the candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    scope: Literal["overall", "class", "slice"] = "overall"
    minimum: float | None = None
    maximum: float | None = None
    max_drop: float | None = None
    on: Literal["value", "interval", "majority"] = "value"

    @model_validator(mode="before")
    @classmethod
    def _on_is_no_boolean(cls, fields: Any) -> Any:
        """Accept the key True in place of `on`: YAML 1.1 reads `on` as a boolean."""
        return (
            {"on" if key is True else key: value for key, value in fields.items()}
            if isinstance(fields, dict)
            else fields
        )

    @field_validator("metric")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in METRICS:
            raise ValueError(f"no such metric; the metrics are {', '.join(METRICS)}")
        return name

    @model_validator(mode="after")
    def _has_a_meaning(self) -> Gate:
        metric = METRICS[self.metric]
        bounds = [name for name in ("minimum", "maximum", "max_drop") if getattr(self, name) is not None]
        if len(bounds) != 1:
            raise ValueError(f"a gate of {self.metric} needs one of minimum, maximum and max_drop")
        right, wrong = ("minimum", "maximum") if metric.higher_is_better else ("maximum", "minimum")
        if bounds == [wrong]:
            way = "higher" if metric.higher_is_better else "lower"
            raise ValueError(f"{self.metric} is better when {way}: set a {right}, not a {wrong}")
        if self.scope != "overall" and not metric.of_class:
            single = ", ".join(name for name, metric in METRICS.items() if metric.of_class)
            raise ValueError(f"{self.metric} has the scope overall only; by {self.scope} a gate can hold {single}")
        if self.scope != "overall" and self.max_drop is not None:
            raise ValueError("max_drop has the scope overall only")
        if self.on == "interval" and (self.max_drop is not None or not metric.has_interval):
            single = ", ".join(name for name, metric in METRICS.items() if metric.has_interval)
            raise ValueError(f"on: interval holds a minimum or a maximum of {single}")
        if self.on == "majority" and (self.metric != metrics.ACCURACY or bounds != ["minimum"]):
            raise ValueError("on: majority holds a minimum of accuracy")
        if self.on == "majority" and self.scope != "overall":
            raise ValueError("on: majority has the scope overall only")
        if self.limit < 0 or (metric.percent and self.limit > 1):
            allowed = "a fraction from 0 to 1" if metric.percent else "0 or more"
            raise ValueError(f"{bounds[0]} of {self.metric} must be {allowed}, not {self.limit:g}")
        return self

    @property
    def bound(self) -> Bound:
        """The field of the bound that is set."""
        return "minimum" if self.minimum is not None else "maximum" if self.maximum is not None else "max_drop"

    @property
    def limit(self) -> float:
        """The bound's value."""
        limit: float = getattr(self, self.bound)
        return limit

    @property
    def key(self) -> str:
        """The name of the gate: its short setting, or composed of its fields; unique in a table."""
        for name, short in SHORT.items():
            if short.with_limit(self.limit) == self:
                return name
        parts = [self.metric, self.scope if self.scope != "overall" else "", self.on if self.on != "value" else ""]
        return "_".join(part for part in (*parts, self.bound) if part)

    @property
    def measured_as(self) -> str:
        """The name of the number that TFMA compares with the bound."""
        if self.on == "value":
            return self.metric
        if self.on == "majority":
            return metrics.OVER_MAJORITY
        return metrics.bound_name(self.metric, "low" if self.bound == "minimum" else "high")

    def with_limit(self, limit: float) -> Gate:
        """Return the same gate with another bound."""
        return self.model_copy(update={self.bound: limit})


# The accuracy, at the lower end of its interval, is at least that of always guessing the most frequent class.
MAJORITY = Gate(metric=metrics.ACCURACY, minimum=0, on="majority")

# The gates that have a short setting, by its name.
SHORT = {
    "min_accuracy": Gate(metric=metrics.ACCURACY, minimum=0),
    "min_class_recall": Gate(metric=metrics.ACCURACY, scope="class", minimum=0),
    "max_drop": Gate(metric=metrics.ACCURACY, max_drop=0),
}


def table(short: Mapping[str, float | None], listed: Iterable[Gate]) -> list[Gate]:
    """Return all gates: MAJORITY, those of the short settings, and the listed ones, which replace one of the same key.

    A short setting that is None is no gate. With a `min_accuracy` of 0, MAJORITY is no gate either.

    Raises:
      ValueError: two of the listed gates have the same key.
    """
    gates = {name: SHORT[name].with_limit(limit) for name, limit in short.items() if limit is not None}
    if short.get("min_accuracy") != 0:
        gates = {MAJORITY.key: MAJORITY} | gates
    keys: set[str] = set()
    for gate in listed:
        if gate.key in keys:
            raise ValueError(f"two gates hold the same: {gate.key.replace('_', ' ')}; leave one of them")
        keys.add(gate.key)
        gates[gate.key] = gate
    return list(gates.values())


def read(evaluation: str) -> list[Gate]:
    """Read the gates that the ModelEvaluation at `evaluation` was checked against."""
    return of_eval_config(stored.read(dict[str, Any], f"{evaluation}/{EVAL_CONFIG_FILE}")["evalConfig"])


def of_eval_config(config: Mapping[str, Any]) -> list[Gate]:
    """Return the gates in the JSON of a TFMA EvalConfig, as this or an earlier version of the Evaluator made it."""
    gates: list[Gate] = []
    for spec in _snake(config).get("metrics_specs", []):
        for metric in spec.get("metrics", []):  # of earlier versions
            for threshold in metric.get("per_slice_thresholds", []):
                gates += _of_threshold(metrics.ACCURACY, threshold)
        for name, thresholds in spec.get("per_slice_thresholds", {}).items():
            for threshold in thresholds.get("thresholds", []):
                gates += _of_threshold(name, threshold)
    short_keys = (MAJORITY.key, "min_accuracy", "max_drop", "min_class_recall")
    order = {key: i for i, key in enumerate((*short_keys, *METRICS))}
    return sorted(gates, key=lambda gate: (order.get(gate.key, order.get(gate.metric, len(order))), gate.key))


def _of_threshold(name: str, threshold: Mapping[str, Any]) -> Iterator[Gate]:
    ends = {metrics.bound_name(metric, end): metric for metric in METRICS for end in ("low", "high")}
    over_majority = name == metrics.OVER_MAJORITY
    keys = {key for spec in threshold.get("slicing_specs", []) for key in spec.get("feature_keys", [])}
    fields = {
        "metric": metrics.ACCURACY if over_majority else ends.get(name, name),
        "on": "majority" if over_majority else "interval" if name in ends else "value",
        "scope": "overall" if not keys else "class" if f.CLASS_NAME in keys else "slice",
    }
    bounds: dict[str, float] = {}
    of = threshold["threshold"]
    if "value_threshold" in of:
        low, high = (of["value_threshold"].get(end) for end in ("lower_bound", "upper_bound"))
        bounds |= {"maximum": high} if high is not None else {"minimum": low or 0.0}
    if "change_threshold" in of:
        bounds["max_drop"] = round(abs(of["change_threshold"]["absolute"]), 6)
    for bound, limit in bounds.items():
        # Not validated: it was, and the metric may have left the table since.
        every = {"minimum": None, "maximum": None, "max_drop": None, bound: limit}
        yield Gate.model_construct(**fields, **every)  # type: ignore[arg-type]


def _snake(config: Any) -> Any:
    """Return the JSON of a proto with the keys as the proto has them."""
    if isinstance(config, Mapping):
        return {re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", key): _snake(of) for key, of in config.items()}
    return [_snake(value) for value in config] if isinstance(config, list) else config
