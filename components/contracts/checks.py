"""Gate checks: what each gate needs and what was measured, for `lineage --why`, the report and the model card."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from components.contracts import metrics
from components.contracts.gates import ROUNDING, Gate
from components.text import printable


@dataclasses.dataclass(frozen=True)
class GateCheck:
    """A gate and the outcome.

    Attributes:
      name: of the gate.
      needed, measured: in words.
      passed: True if the model was not refused for it.
      note: more on the outcome; empty if there is none.
      margin: how far what was measured is from what is needed, in words; empty where that is no number.
      threshold: False if every model passes: a minimum of 0 asks for nothing.
    """

    name: str
    needed: str
    measured: str
    passed: bool
    note: str = ""
    margin: str = ""
    threshold: bool = True

    @property
    def outcome(self) -> str:
        """The outcome in words."""
        return ("passed" if self.passed else "failed") if self.threshold else "no threshold set"


def check(gates: Iterable[Gate], measured: Mapping[str, Any], baseline: str) -> list[GateCheck]:
    """Check a measured model against the gates.

    Args:
      measured: the metrics in result.json: the summary of contracts/evaluation.py.
      baseline: the name of the baseline; without one, gates on a drop are skipped.
    """
    checks = []
    for gate in gates:
        if gate.on == "majority":
            checks.append(_over_majority(gate, measured))
        elif gate.max_drop is None:
            checks.append(_bound(gate, measured))
        elif gate.metric in (measured.get("baseline") or {}) and gate.metric in measured:
            checks.append(_drop(gate, measured, baseline))
    return checks


def majority(measured: Mapping[str, Any]) -> tuple[str, float]:
    """Return the most frequent class of the test split and its share: the accuracy of always guessing it."""
    images = {row["name"]: row["pictures"] for row in measured["classes"]}
    name = max(images, key=lambda name: images[name])
    return name, images[name] / sum(images.values())


def _over_majority(gate: Gate, measured: Mapping[str, Any]) -> GateCheck:
    metric = metrics.find(gate.metric)
    estimate = measured[gate.metric]
    name, share = majority(measured)
    above = f"{metric.format_difference(gate.limit).lstrip('+')} above " if gate.limit else ""
    return GateCheck(
        f"{metric.label} beside guessing",
        f"lower end of the interval at least {above}{metric.format(share)}, the share of {printable(name)!r}",
        metric.words(estimate),
        estimate["low"] - share >= gate.limit,
        margin=_margin(metric, estimate["low"] - share - gate.limit),
    )


def _bound(gate: Gate, measured: Mapping[str, Any]) -> GateCheck:
    metric, least = metrics.find(gate.metric), gate.bound == "minimum"
    words = "at least" if least else "at most"
    needed = f"{words} {metric.format(gate.limit)}"
    if gate.on == "interval":
        needed = f"{'lower' if least else 'upper'} end of the interval {needed}"
    name, where, estimate = _worst(gate, measured)
    if estimate is None:
        return GateCheck(name, needed, "not measured", False)
    value = metrics.value_of(estimate)
    end = estimate["low" if least else "high"] if isinstance(estimate, Mapping) else value
    held = end if gate.on == "interval" else value
    reaches = value >= gate.limit > end if least else value <= gate.limit < end
    threshold = gate.limit > 0 if least else not metric.percent or gate.limit < 1
    note = f"the interval reaches {'below' if least else 'above'} {metric.format(gate.limit)}" if reaches else ""
    text = metric.words(estimate)
    return GateCheck(
        name,
        needed,
        f"lowest {text}, {where}" if where else text,
        held >= gate.limit if least else held <= gate.limit,
        note if threshold and gate.on != "interval" else "",
        _margin(metric, held - gate.limit if least else gate.limit - held),
        threshold,
    )


def _margin(metric: metrics.Metric, better: float) -> str:
    """Return by how much a measured value is better than the limit; worse, if `better` is below zero."""
    difference = metric.format_difference(abs(better)).lstrip("+")
    return f"{difference} {'missing' if better < 0 else 'to spare'}"


def _worst(gate: Gate, measured: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Return the metric's title, the class or slice where it is lowest, and its value there; None if not measured."""
    metric = metrics.find(gate.metric)
    if gate.scope == "overall":
        return metric.label, "", measured.get(gate.metric)
    if gate.scope == "class":
        name, rows, key = f"{metric.of_class} of each class", measured["classes"], "recall"
    else:
        name, rows, key = f"{metric.label} of each slice", measured.get("slices", []), "accuracy"
    rows = [row for row in rows if row[key]]
    if not rows:
        return name, "", None
    end = "value" if gate.on == "value" else "low"
    worst = min(rows, key=lambda row: float(row[key][end]))
    return name, f"{worst.get('by', 'class')} {printable(worst['name'])!r}", worst[key]


def _drop(gate: Gate, measured: Mapping[str, Any], baseline: str) -> GateCheck:
    metric = metrics.find(gate.metric)
    before, now = measured["baseline"][gate.metric], metrics.value_of(measured[gate.metric])
    worse = before - now if metric.higher_is_better else now - before
    way = "below" if metric.higher_is_better else "above"
    limit = metric.format_difference(gate.limit).lstrip("+")
    text = f"{metric.format_difference(now - before)}: {metric.format(now)} against {metric.format(before)}"
    passed = worse <= gate.limit + ROUNDING
    name, needed = f"{metric.label} beside the baseline", f"at most {limit} {way} {baseline}"
    margin = _margin(metric, max(gate.limit - worse, 0) if passed else gate.limit - worse)
    return GateCheck(name, needed, text, passed, margin=margin, threshold=not metric.percent or gate.limit < 1)
