"""What artifacts say of a run, in the words of its result.json: asked after a local run, and by the stage Report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components import files

EXAMPLES = 12  # of a finding


def read(folder: str, name: str) -> Any:
    """A JSON file of an artifact, local or remote."""
    return json.loads(files.read_bytes(f"{folder}/{name}"))


def findings(folder: str) -> list[dict[str, Any]]:
    """Of a gate that let the data pass, with a few examples each."""
    return few(read(folder, "findings.json"))


def few(findings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**finding, "examples": finding["examples"][:EXAMPLES]} for finding in findings]


def not_served(blessing: str) -> list[str]:
    """Why the serving check did not bless the model; empty where it did."""
    return list(read(blessing, "serving_check.json")["reasons"])


def trials(folder: str) -> list[dict[str, float]]:
    """Of each its `score`, the validation accuracy, and the settings it was tried with; the best first."""
    found = read(folder, "tuner_results.json")
    return [{key: value for key, value in trial.items() if key != "trial_id"} for trial in found]


def metrics(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The Evaluator's results (components/evaluator/results.py, as nested dicts) without their tables."""
    tables = ("top_k", "confusion_matrix", "calibration")
    return evaluation["top_k"] | {key: value for key, value in evaluation.items() if key not in tables}
