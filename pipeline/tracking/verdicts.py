"""`lineage --why`: why a model was blessed, or was not: each threshold beside what was measured."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from typing import Any

from components import files
from components.contracts import features as f
from components.errors import UserError
from components.names import printable
from pipeline.output import all_output_to
from pipeline.runs import run_dir
from pipeline.runs.result import Result
from pipeline.runs.result import metrics as read_metrics
from pipeline.tracking import metadata
from pipeline.tracking.graph import Link
from pipeline.tracking.queries import Data, Known, Version

SERVING_CHECK_FILE = "serving_check.json"


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that a model had to reach. `needed` and `measured` are in words."""

    name: str
    needed: str
    measured: str
    passed: bool
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Blessing:
    """What is known of how a model was judged."""

    blessed: bool
    run_id: str  # that evaluated it
    model: Link
    data: Data | None  # that it was trained on
    evaluation: Link | None
    baseline: Link | None
    baseline_versions: list[Version]  # as which it had been pushed by then
    metrics: dict[str, Any]  # as in result.json
    checks: list[Check]
    versions: list[Version]  # as which the model was pushed
    training: dict[str, Any]  # the settings of the Trainer


def of_version(known: Known, version: Version) -> Blessing:
    """The blessing with which the version was pushed."""
    own = version.link
    blessing, infra = (own.inputs(key) for key in ("model_blessing", "infra_blessing"))
    return _explain(known, known.graph.link(blessing[0]), known.graph.link(infra[0]) if infra else None)


def of_run(known: Known, run_id: str) -> Blessing:
    """Of the model of a run, whether or not it was blessed.

    Raises:
      UserError: the run evaluated no model.
    """
    outputs = known.outputs(run_id)
    blessing, infra = (outputs.get(stage, {}).get("blessing", []) for stage in ("Evaluator", "ServingCheck"))
    if not blessing:
        raise UserError(f"run {run_id} evaluated no model; see `python -m pipeline show {run_id}`")
    return _explain(known, known.graph.link(blessing[-1].id), known.graph.link(infra[-1].id) if infra else None)


def _explain(known: Known, blessing: Link, infra: Link | None) -> Blessing:
    graph = known.graph
    model = graph.link(blessing.inputs("model")[0])
    before = blessing.inputs("baseline_model")
    baseline = graph.link(before[0]) if before else None
    versions = [one for one in known.versions_of(baseline.id) if one.link.id < blessing.id] if baseline else []
    evaluation = graph.beside(blessing, "evaluation")
    measured = _measured(known, evaluation) if evaluation else {}
    named = f"version {versions[-1].version}" if versions else f"model #{baseline.id}" if baseline else ""
    checks = _thresholds(blessing, measured, named) if measured else []
    checks += [_serving_check(known, infra)] if infra else []
    return Blessing(
        blessed=all(metadata.property_value(one.artifact, "blessed") == 1 for one in (blessing, infra) if one),
        run_id=blessing.run_id,
        model=model,
        data=known.data_of(model),
        evaluation=evaluation,
        baseline=baseline,
        baseline_versions=versions,
        metrics=measured,
        checks=checks,
        versions=known.versions_of(model.id),
        training=known.settings_of(model),
    )


def _measured(known: Known, evaluation: Link) -> dict[str, Any]:
    """What the evaluating run noted of the artifact; read from it, which takes long, where the note is lost.

    Empty where the artifact is lost too.
    """
    with contextlib.suppress(run_dir.DamagedRun):
        noted = Result.read(run_dir.of_run(known.config, evaluation.run_id) / run_dir.RESULT_FILE).metrics
        if noted:
            return noted

    def read(uri: str) -> dict[str, Any]:
        with all_output_to(os.devnull):
            return read_metrics(uri, known.config.evaluator.confidence)

    return known.lost.read("metrics", evaluation.artifact.uri, read) or {}


def _thresholds(blessing: Link, measured: dict[str, Any], baseline: str) -> list[Check]:
    """What the Evaluator was told to hold the model against; see components/evaluator/config.py."""
    config = json.loads(blessing.parameter("eval_config") or "{}")
    checks = []
    for spec in config.get("metrics_specs", []):
        for metric in spec.get("metrics", []):
            for one in metric.get("per_slice_thresholds", []):
                by_class = any(f.CLASS_NAME in of.get("feature_keys", []) for of in one.get("slicing_specs", []))
                threshold = one["threshold"]
                if "value_threshold" in threshold:
                    floor = threshold["value_threshold"].get("lower_bound", 0.0)
                    checks.append(_recall(floor, measured) if by_class else _accuracy(floor, measured))
                if "change_threshold" in threshold and measured.get("baseline"):
                    checks.append(_change(threshold["change_threshold"]["absolute"], measured, baseline))
    return checks


def _accuracy(floor: float, measured: dict[str, Any]) -> Check:
    one = measured["accuracy"]
    return Check("accuracy", f"at least {floor:.2%}", interval(one), one["value"] >= floor, _reaches_below(one, floor))


def _recall(floor: float, measured: dict[str, Any]) -> Check:
    classes = [one for one in measured["classes"] if one["recall"]]  # at least one: else there was no evaluation
    worst = min(classes, key=lambda one: float(one["recall"]["value"]))
    one = worst["recall"]
    said = f"lowest {interval(one)}, class {printable(worst['name'])!r}"
    return Check(
        "recall of each class", f"at least {floor:.2%}", said, one["value"] >= floor, _reaches_below(one, floor)
    )


def _change(absolute: float, measured: dict[str, Any], baseline: str) -> Check:
    before, now = measured["baseline"]["accuracy"], measured["accuracy"]["value"]
    needed = f"at most {-round(absolute, 6) * 100:.2f} points below {baseline}"
    said = f"{(now - before) * 100:+.2f} points: {now:.2%} against {before:.2%}"
    return Check("accuracy beside the baseline", needed, said, now - before >= absolute)


def _serving_check(known: Known, infra: Link) -> Check:
    def read(uri: str) -> dict[str, Any]:
        return dict(json.loads(files.read_bytes(f"{uri}/{SERVING_CHECK_FILE}")))

    report = known.lost.read("answers of ServingCheck", infra.artifact.uri, read) or {}
    said = "; ".join(report.get("reasons", [])) or (
        f"{report.get('pictures', 0):,} pictures served, {report.get('compared', 0):,} by all three signatures"
    )
    passed = metadata.property_value(infra.artifact, "blessed") == 1
    return Check("ServingCheck", "answers as the Evaluator's, in a clean process", said, passed)


def _reaches_below(estimate: dict[str, float], floor: float) -> str:
    reaches = estimate["value"] >= floor > estimate["low"]
    return f"the interval reaches below {floor:.2%}" if reaches else ""


def interval(one: dict[str, float]) -> str:
    return f"{one['value']:.2%} ({one['low']:.2%} to {one['high']:.2%})"
