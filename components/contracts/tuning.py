"""The trials of a Tuner and the best values, as TFX's executor writes them."""

from __future__ import annotations

from typing import Any

from components import files
from components.contracts import stored

# The names are TFX's.
TRIALS_FILE = "tuner_results.json"  # in the TunerResults: a trial an object, the best first
BEST_FILE = "best_hyperparameters.txt"  # in the HyperParameters: {"space", "values"}, JSON


def read_trials(results: str) -> list[dict[str, float]]:
    """Read the trials, the best first: the `score` (validation accuracy) and the tried settings of each."""
    trials = stored.read(list[dict[str, Any]], f"{results}/{TRIALS_FILE}")
    return [{key: value for key, value in trial.items() if key != "trial_id"} for trial in trials]


def read_best(hyperparameters: str) -> dict[str, Any]:
    """Read the settings of the best trial; empty if the file is missing."""
    path = f"{hyperparameters}/{BEST_FILE}"
    return dict(stored.read(dict[str, Any], path)["values"]) if files.exists(path) else {}
