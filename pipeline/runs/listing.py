"""The runs of a run directory, a row each, as `runs --json` prints them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_metadata as mlmd

from components.contracts.run_result import INTERRUPTED, RUNNING, state
from pipeline.config import Config
from pipeline.runs import result as results
from pipeline.runs import run_dir
from pipeline.tracking import metadata, serving

COLUMNS = ("run_id", "when", "name", "data", "preset", "state", "accuracy", "blessed", "pushed", "seconds")


def rows(config: Config) -> list[dict[str, Any]]:
    """Return a row per run, the oldest first, from ML Metadata and result.json; a run that failed at once has no other.

    A row has COLUMNS, and two more: "served", {"version", "is": the version that it copies} of the run whose version is
    served, and "damaged", the path of a result that cannot be read. What is not known is None.
    """
    store = metadata.open_store(config) if metadata.exists(config) else None
    recorded = {run.id: run for run in metadata.runs(store)} if store else {}
    served = _served(store) if store else {}
    ended = {file.parent.name: file for file in run_dir.results(config)}
    listed = []
    for run_id in sorted({*recorded, *ended}):
        row: dict[str, Any] = dict.fromkeys((*COLUMNS, "served", "damaged"))
        started = run_dir.started(run_id)
        row |= {
            "run_id": run_id,
            "served": served.get(run_id),
            "when": started.isoformat(sep=" ", timespec="minutes") if started else None,
            "name": recorded[run_id].pipeline if run_id in recorded else None,
            "state": _without_result(config, run_id),
        }
        if run_id in ended:
            row |= _of_result(ended[run_id])
        listed.append(row)
    return listed


def _without_result(config: Config, run_id: str) -> str | None:
    """Return the state of a run without a result, running or killed; None if it is of another run directory."""
    if not run_dir.of_run(config, run_id).exists():
        return None
    _, held = run_dir.lock_holder(config)
    return RUNNING if held and run_id == max(run_dir.run_ids(config)) else INTERRUPTED


def _served(store: mlmd.MetadataStore) -> dict[str, dict[str, str]]:
    """Return the served versions as serving.now does, by the run that pushed them."""
    versions = {}
    for pushed in serving.in_front(store):
        runs = [context for context in store.get_contexts_by_artifact(pushed.id) if context.type == "pipeline_run"]
        if runs:
            version = str(metadata.property_value(pushed, "pushed_version"))
            original = metadata.property_value(pushed, serving.ROLLED_BACK_TO)
            versions[min(runs, key=lambda run: run.id).name] = {"version": version, "is": str(original or version)}
    return versions


def _of_result(result_file: Path) -> dict[str, Any]:
    """Return the columns from a run's result.json, or that it is damaged."""
    try:
        result = results.read(result_file)
    except run_dir.DamagedRun:
        return {"state": "damaged", "damaged": str(result_file)}
    return {
        "name": result.name,
        "data": result.source,
        "preset": result.preset or None,
        "state": state(result),
        "accuracy": (result.metrics or {}).get("accuracy"),
        "blessed": result.blessed,
        "pushed": (result.pushed or {}).get("version"),
        "seconds": round(sum(stage["seconds"] for stage in result.stages.values()), 1),
    }
