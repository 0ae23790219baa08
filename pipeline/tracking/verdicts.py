"""Why a model was blessed, or was not: each threshold beside what was measured."""

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
from pipeline.output import redirect_output
from pipeline.runs import run_dir
from pipeline.runs.result import Result
from pipeline.runs.result import metrics as read_metrics
from pipeline.tracking import metadata
from pipeline.tracking.graph import ArtifactNode
from pipeline.tracking.queries import Data, RunStore, Version

SERVING_CHECK_FILE = "serving_check.json"


@dataclasses.dataclass(frozen=True)
class GateCheck:
    """A threshold of a gate, and whether the model reached it. `needed` and `measured` are in words."""

    name: str
    needed: str
    measured: str
    passed: bool
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How a model was judged."""

    blessed: bool
    run_id: str  # that evaluated it
    model: ArtifactNode
    data: Data | None  # it was trained on
    evaluation: ArtifactNode | None
    baseline: ArtifactNode | None
    baseline_versions: list[Version]  # as which it had been pushed by then
    metrics: dict[str, Any]  # as in result.json
    checks: list[GateCheck]
    versions: list[Version]  # as which the model was pushed
    training: dict[str, Any]  # the settings of the Trainer


def for_version(run_store: RunStore, version: Version) -> Verdict:
    """Return the verdict with which the version was pushed."""
    blessing, infra = (version.node.inputs(key) for key in ("model_blessing", "infra_blessing"))
    graph = run_store.graph
    return _explain(run_store, graph.node(blessing[0]), graph.node(infra[0]) if infra else None)


def for_run(run_store: RunStore, run_id: str) -> Verdict:
    """Return the verdict on the model of a run, whether or not it was blessed.

    Raises:
      UserError: the run evaluated no model.
    """
    outputs = run_store.outputs(run_id)
    blessing, infra = (outputs.get(stage, {}).get("blessing", []) for stage in ("Evaluator", "ServingCheck"))
    if not blessing:
        raise UserError(f"run {run_id} evaluated no model; see `python -m pipeline show {run_id}`")
    graph = run_store.graph
    return _explain(run_store, graph.node(blessing[-1].id), graph.node(infra[-1].id) if infra else None)


def _explain(run_store: RunStore, blessing: ArtifactNode, infra: ArtifactNode | None) -> Verdict:
    graph = run_store.graph
    model = graph.node(blessing.inputs("model")[0])
    before = blessing.inputs("baseline_model")
    baseline = graph.node(before[0]) if before else None
    versions = run_store.versions_of(baseline.id) if baseline else []
    versions = [version for version in versions if version.node.id < blessing.id]
    evaluation = graph.sibling(blessing, "evaluation")
    measured = _measured(run_store, evaluation) if evaluation else {}
    named = f"version {versions[-1].version}" if versions else f"model #{baseline.id}" if baseline else ""
    checks = _thresholds(blessing, measured, named) if measured else []
    checks += [_serving_check(run_store, infra)] if infra else []
    return Verdict(
        blessed=all(metadata.property_value(node.artifact, "blessed") == 1 for node in (blessing, infra) if node),
        run_id=blessing.run_id,
        model=model,
        data=run_store.data_of(model),
        evaluation=evaluation,
        baseline=baseline,
        baseline_versions=versions,
        metrics=measured,
        checks=checks,
        versions=run_store.versions_of(model.id),
        training=run_store.settings_of(model),
    )


def _measured(run_store: RunStore, evaluation: ArtifactNode) -> dict[str, Any]:
    """Return the metrics in the result of the evaluating run; where that is lost, from the artifact, which takes long.

    Empty where the artifact is lost too.
    """
    with contextlib.suppress(run_dir.DamagedRun):
        noted = Result.read(run_dir.of_run(run_store.config, evaluation.run_id) / run_dir.RESULT_FILE).metrics
        if noted:
            return noted

    def read(uri: str) -> dict[str, Any]:
        with redirect_output(os.devnull):
            return read_metrics(uri, run_store.config.evaluator.confidence)

    return run_store.lost.read("metrics", evaluation.artifact.uri, read) or {}


def _thresholds(blessing: ArtifactNode, measured: dict[str, Any], baseline: str) -> list[GateCheck]:
    """Return the thresholds of the Evaluator's config; see components/evaluator/config.py."""
    config = json.loads(blessing.parameter("eval_config") or "{}")
    checks = []
    for spec in config.get("metrics_specs", []):
        for metric in spec.get("metrics", []):
            for gate in metric.get("per_slice_thresholds", []):
                by_class = any(f.CLASS_NAME in of.get("feature_keys", []) for of in gate.get("slicing_specs", []))
                threshold = gate["threshold"]
                if "value_threshold" in threshold:
                    least = threshold["value_threshold"].get("lower_bound", 0.0)
                    checks.append(_recall(least, measured) if by_class else _accuracy(least, measured))
                if "change_threshold" in threshold and measured.get("baseline"):
                    checks.append(_change(threshold["change_threshold"]["absolute"], measured, baseline))
    return checks


def _accuracy(least: float, measured: dict[str, Any]) -> GateCheck:
    return _at_least("accuracy", least, measured["accuracy"], interval(measured["accuracy"]))


def _recall(least: float, measured: dict[str, Any]) -> GateCheck:
    classes = [row for row in measured["classes"] if row["recall"]]  # at least one: else there was no evaluation
    lowest = min(classes, key=lambda row: float(row["recall"]["value"]))
    message = f"lowest {interval(lowest['recall'])}, class {printable(lowest['name'])!r}"
    return _at_least("recall of each class", least, lowest["recall"], message)


def _at_least(name: str, least: float, estimate: dict[str, float], message: str) -> GateCheck:
    passed = estimate["value"] >= least
    note = f"the interval reaches below {least:.2%}" if passed and least > estimate["low"] else ""
    return GateCheck(name, f"at least {least:.2%}", message, passed, note)


def _change(absolute: float, measured: dict[str, Any], baseline: str) -> GateCheck:
    before, now = measured["baseline"]["accuracy"], measured["accuracy"]["value"]
    needed = f"at most {-round(absolute, 6) * 100:.2f} points below {baseline}"
    message = f"{(now - before) * 100:+.2f} points: {now:.2%} against {before:.2%}"
    return GateCheck("accuracy beside the baseline", needed, message, now - before >= absolute)


def _serving_check(run_store: RunStore, infra: ArtifactNode) -> GateCheck:
    def read(uri: str) -> dict[str, Any]:
        return dict(json.loads(files.read_bytes(f"{uri}/{SERVING_CHECK_FILE}")))

    report = run_store.lost.read("answers of ServingCheck", infra.artifact.uri, read) or {}
    message = "; ".join(report.get("reasons", [])) or (
        f"{report.get('pictures', 0):,} images served, {report.get('compared', 0):,} by all three signatures"
    )
    passed = metadata.property_value(infra.artifact, "blessed") == 1
    return GateCheck("ServingCheck", "answers as the Evaluator's, in a clean process", message, passed)


def interval(estimate: dict[str, float]) -> str:
    """Return a share with its interval, in words."""
    return f"{estimate['value']:.2%} ({estimate['low']:.2%} to {estimate['high']:.2%})"
