"""The verdict on a model: each gate beside the measured value."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from typing import Any

from components.contracts import checks, gates, serving
from components.contracts import evaluation as evaluations
from components.contracts.checks import GateCheck
from components.errors import UserError
from pipeline.output import redirect_output
from pipeline.runs import result as results
from pipeline.runs import run_dir
from pipeline.tracking import metadata
from pipeline.tracking.graph import ArtifactNode
from pipeline.tracking.queries import Data, RunStore, Version


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The verdict on a model and its basis."""

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
        raise UserError(f"run {run_id} evaluated no model; see `image-pipeline show {run_id}`")
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
    held = gates.of_eval_config(json.loads(blessing.parameter("eval_config") or "{}"))
    reached = checks.check(held, measured, named) if measured else []
    reached += [_serving_check(run_store, infra)] if infra else []
    return Verdict(
        blessed=all(metadata.property_value(node.artifact, "blessed") == 1 for node in (blessing, infra) if node),
        run_id=blessing.run_id,
        model=model,
        data=run_store.data_of(model),
        evaluation=evaluation,
        baseline=baseline,
        baseline_versions=versions,
        metrics=measured,
        checks=reached,
        versions=run_store.versions_of(model.id),
        training=run_store.settings_of(model),
    )


def _measured(run_store: RunStore, evaluation: ArtifactNode) -> dict[str, Any]:
    """Return the metrics in the result of the evaluating run; if that is missing, from the artifact, which is slow.

    Empty where the artifact is lost too.
    """
    with contextlib.suppress(run_dir.DamagedRun):
        noted = results.read(run_dir.of_run(run_store.config, evaluation.run_id) / run_dir.RESULT_FILE).metrics
        if noted:
            return noted

    def read(uri: str) -> dict[str, Any]:
        with redirect_output(os.devnull):
            return evaluations.read(uri, run_store.config.evaluator.confidence).summary()

    return run_store.lost.read("metrics", evaluation.artifact.uri, read) or {}


def _serving_check(run_store: RunStore, infra: ArtifactNode) -> GateCheck:
    report = run_store.lost.read("answers of ServingCheck", infra.artifact.uri, serving.read)
    message = "; ".join(report.reasons) if report else ""
    if not message:
        images, compared = (report.pictures, report.compared) if report else (0, 0)
        message = f"{images:,} images served, {compared:,} by all three signatures"
    passed = metadata.property_value(infra.artifact, "blessed") == 1
    return GateCheck("ServingCheck", "answers as the Evaluator's, in a clean process", message, passed)
