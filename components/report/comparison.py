"""The comparison of two runs: differences in configuration, code, data and results, and what is not comparable."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from components.contracts import counts, statistics, training
from components.contracts import features as f
from components.contracts.metrics import METRICS, Metric
from components.contracts.run_result import Result
from components.intervals import Estimate, paired_difference, unpaired_difference
from components.report import paired
from components.report.lost import Lost

MOVED = 0.1  # standard deviations; by more a statistic is said to have moved (Cohen calls 0.2 a small effect)
MEASURES = (f.HEIGHT, f.WIDTH, f.CHANNELS, f.NUM_BYTES, f.BRIGHTNESS, f.CONTRAST, f.SHARPNESS, f.COLOURFULNESS)
# Settings that change what the loss of the training images measures; label smoothing that of the validation images too.
OF_THE_LOSS = {f"trainer.{key}" for key in ("label_smoothing", "class_weights", "mixup", "cutmix")}

Moments = dict[str, dict[str, statistics.Moments]]  # by split and measure


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """One of the two runs.

    Attributes:
      result: of the run.
      config: of the run, flat: {"trainer.epochs": 20}.
      code: the fingerprint of each stage's code.
      fingerprint: of the content of the data; empty if it was not read.
      artifacts: URIs of `examples`, `statistics`, `model_run` and `predictions`, as far as the run has them.
    """

    result: Result
    config: dict[str, Any]
    code: dict[str, str]
    fingerprint: str
    artifacts: dict[str, str]

    @property
    def classes(self) -> list[str]:
        return [row["name"] for row in (self.result.metrics or {}).get("classes", [])]


def compare(a: ComparedRun, b: ComparedRun) -> dict[str, Any]:
    """Return the differences, ready for JSON; `not_comparable` lists what is not comparable."""
    not_comparable: list[str] = []
    data = _data(a, b, not_comparable)
    epochs = _training(a, b, not_comparable)
    metrics = _metrics(a, b, not_comparable)
    return {
        "runs": [side.result.run_id for side in (a, b)],
        "seconds": [round(sum(side.result.seconds.values()), 1) for side in (a, b)],
        "config": _changed(a.config, b.config),
        "libraries": _changed(a.result.versions, b.result.versions),
        "code": sorted(stage for stage in a.code.keys() & b.code.keys() if a.code[stage] != b.code[stage]),
        "data": data,
        "training": epochs,
        "metrics": metrics,
        "cannot": not_comparable,
    }


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the keys whose values differ; None where a side has no such key."""
    keys = [*a, *(key for key in b if key not in a)]
    return [{"key": key, "a": a.get(key), "b": b.get(key)} for key in keys if a.get(key) != b.get(key)]


# ------------------------------------------------------------------------------------------------------------- the data
def _data(a: ComparedRun, b: ComparedRun, not_comparable: list[str]) -> dict[str, Any] | None:
    uris = [side.artifacts.get("examples") for side in (a, b)]
    missing = [side.result.run_id for side, uri in zip((a, b), uris) if uri is None]
    if missing:
        not_comparable.append(f"the data: {' and '.join(missing)} read none")
        return None
    unreadable = Lost()
    counted = [count for count in (unreadable.read("the data", str(uri), counts.read) for uri in uris) if count]
    measured = [side.artifacts.get("statistics") for side in (a, b)]
    moments = [(unreadable.read("the statistics", uri, _moments) if uri else None) or {} for uri in measured]
    not_comparable += unreadable.notes
    if len(counted) < 2:
        return None
    same = "artifact" if uris[0] == uris[1] else "content" if a.fingerprint == b.fingerprint else None
    names = [set(count.class_names) for count in counted]
    totals = [count.totals() for count in counted]
    rows = [{"of": of, "a": totals[0].get(of, 0), "b": totals[1].get(of, 0)} for of in (*f.SPLITS, "rejected")]
    return {
        "same": same,
        "fingerprints": [a.fingerprint, b.fingerprint],
        "counts": rows,
        "only_a": sorted(names[0] - names[1]),
        "only_b": sorted(names[1] - names[0]),
        "classes": [] if same == "artifact" else _class_counts(counted, sorted(names[0] & names[1])),
        "statistics": [] if same == "artifact" else _statistics(*moments),
        "moved_by": MOVED,
    }


def _moments(uri: str) -> Moments:
    return {split: statistics.moments(uri, split) for split in f.SPLITS}


def _class_counts(counted: list[counts.Counts], names: list[str]) -> list[dict[str, Any]]:
    """Return the common classes whose number of images in a split differs."""
    rows = []
    for name in names:
        for split in f.SPLITS:
            a, b = (counted_run.of_class(split, name) for counted_run in counted)
            if a != b:
                rows.append({"name": name, "split": split, "a": a, "b": b})
    return rows


def _statistics(a: Moments, b: Moments) -> list[dict[str, Any]]:
    """Return mean and standard deviation of each measure by split, the largest change first.

    `moved`: the difference of the means over the pooled standard deviation (Cohen's d); None where it has no meaning.
    """
    rows = []
    for split in f.SPLITS:
        before, now = (moments.get(split, {}) for moments in (a, b))
        for name in MEASURES:
            if name in before and name in now:
                (mean_a, deviation_a), (mean_b, deviation_b) = before[name], now[name]
                pooled = math.sqrt((deviation_a**2 + deviation_b**2) / 2)
                moved = (mean_b - mean_a) / pooled if pooled else (0.0 if mean_a == mean_b else None)
                values = {"a": mean_a, "b": mean_b, "a_deviation": deviation_a, "b_deviation": deviation_b}
                rows.append({"name": name, "split": split, **values, "moved": moved})
    return sorted(rows, key=lambda row: -math.inf if row["moved"] is None else -abs(row["moved"]))


# --------------------------------------------------------------------------------------------------------- the training
def _training(a: ComparedRun, b: ComparedRun, not_comparable: list[str]) -> dict[str, Any] | None:
    """Return the epochs of both runs; None if neither trained.

    "same": they have one training, which the second took from the cache. "settings": the settings that differ and that
    the loss is computed with.
    """
    uris = [side.artifacts.get("model_run") for side in (a, b)]
    missing = [side.result.run_id for side, uri in zip((a, b), uris) if uri is None]
    if missing:
        not_comparable.append(f"the training: {' and '.join(missing)} trained no model")
    unreadable = Lost()
    records = [unreadable.read("the training", uri, training.read) if uri else None for uri in uris]
    not_comparable += unreadable.notes
    if not any(records):
        return None
    return {
        "a": [epoch.measured() for epoch in records[0].epochs] if records[0] else [],
        "b": [epoch.measured() for epoch in records[1].epochs] if records[1] else [],
        "same": uris[0] == uris[1],
        "settings": [row["key"] for row in _changed(a.config, b.config) if row["key"] in OF_THE_LOSS],
    }


# ---------------------------------------------------------------------------------------------------------- the results
def _metrics(a: ComparedRun, b: ComparedRun, not_comparable: list[str]) -> dict[str, Any] | None:
    missing = [side.result.run_id for side in (a, b) if not side.result.metrics]
    if missing:
        not_comparable.append(f"the models: {' and '.join(missing)} evaluated none")
        return None
    numbers = [side.result.metrics or {} for side in (a, b)]
    unreadable = Lost()
    outcomes = _paired_outcomes(a, b, unreadable)
    same_task = set(a.classes) == set(b.classes)
    if not same_task:
        not_comparable.append(
            "metrics over all images: the two tests do not have the same classes, so the tasks differ"
        )
    elif outcomes["pictures"] == "other":
        not_comparable.append("answers image by image: the two tests share no image; what differs may be the images")
    elif outcomes["pictures"] == "some":
        tests = " and ".join(f"{metrics['pictures']:,}" for metrics in numbers)
        not_comparable.append(f"all answers image by image: the tests of {tests} images share {outcomes['shared']:,}")
    elif outcomes["pictures"] == "unknown":
        not_comparable += unreadable.notes or ["answers image by image: ServingCheck did not record those of both runs"]
    if outcomes["by_name"] and outcomes["shared"]:
        not_comparable.append(
            "the bytes of the shared images: path and class are the same, in data that differs otherwise"
        )
    shared = [metric for metric in METRICS.values() if all(metric.name in metrics for metrics in numbers)]
    return {
        "rows": [_row(metric, numbers[0][metric.name], numbers[1][metric.name], same_task) for metric in shared],
        "confidence": numbers[0]["confidence"],
        "pictures": [metrics["pictures"] for metrics in numbers],
        "same_classes": same_task,
        "both": outcomes,
        "accuracy_interval": _interval(numbers, outcomes) if same_task else None,
        "classes": _recalls(numbers),
    }


def _row(metric: Metric, a: Any, b: Any, comparable: bool) -> dict[str, Any]:
    """Compare a metric of both runs: each {"value", "low", "high"}, or without an interval {"value"}."""
    a, b = (value if isinstance(value, dict) else {"value": value} for value in (a, b))
    difference = b["value"] - a["value"] if comparable else None
    better = metric.is_better(b["value"], a["value"]) if difference else None
    return {"name": metric.name, "a": a, "b": b, "difference": difference, "better": better}


def _recalls(numbers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the recall of the classes that both were tested on, the largest change first."""
    measured = [{row["name"]: row["recall"] for row in metrics["classes"] if row["recall"]} for metrics in numbers]
    rows = [
        {"name": name, "a": a, "b": measured[1][name], "difference": measured[1][name]["value"] - a["value"]}
        for name, a in measured[0].items()
        if name in measured[1]
    ]
    return sorted(rows, key=lambda row: (-abs(row["difference"]), row["name"]))


def _paired_outcomes(a: ComparedRun, b: ComparedRun, unreadable: Lost) -> dict[str, Any]:
    """Compare the predictions image by image; "pictures" is `unknown` where a run recorded none."""
    tested = [paired.read(side.artifacts, unreadable) for side in (a, b)]
    if tested[0] is None or tested[1] is None:
        return {"pictures": "unknown", "shared": 0, "by_name": False}
    return paired.outcomes(tested[0], tested[1]) | {"by_name": a.fingerprint != b.fingerprint}


def _interval(numbers: list[dict[str, Any]], outcomes: dict[str, Any]) -> dict[str, Any] | None:
    """Return the interval of accuracy b - a, if the tests have the same images or share none."""
    level = numbers[0]["confidence"]
    if outcomes["pictures"] == "same":
        low, high = paired_difference(outcomes["gained"], outcomes["lost"], outcomes["shared"], level)
        return {"low": low, "high": high, "method": "Agresti and Min"}
    if outcomes["pictures"] == "other" and level == numbers[1]["confidence"]:
        low, high = unpaired_difference(*(Estimate(**metrics["accuracy"]) for metrics in numbers))
        return {"low": low, "high": high, "method": "Newcombe"}
    return None
