"""The input of the report as plain values; None or empty where a run ended before it was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from components.contracts.evaluation import Evaluation
from components.contracts.run_result import Result

EXAMPLES, STATISTICS, SCHEMA, ANOMALIES, PREVIOUS, TRAINING, PREDICTIONS, BASELINE_PREDICTIONS = (
    "examples",
    "statistics",
    "schema",
    "anomalies",
    "previous",
    "model_run",
    "predictions",
    "baseline_predictions",
)
EVALUATION = "evaluation"


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One thing that a stage read or wrote, as ML Metadata knows it."""

    id: int
    key: str  # the name under which the stage reads or writes it
    type: str
    uri: str


@dataclasses.dataclass(frozen=True)
class Page:
    """Another page that the report links to."""

    title: str
    path: Path


@dataclasses.dataclass(frozen=True)
class Step:
    """The inputs and outputs of a stage; those of a cached stage come from the earlier run."""

    name: str
    inputs: list[Artifact]
    outputs: list[Artifact]


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that has ended, in whatever way, or one that has come to its stage Report.

    Attributes:
      result: of the run; in the stage Report, as far as executor.py knows it.
      evaluation: what the Evaluator measured; None if not evaluated.
      artifacts: the URI of each of the constants above that the run has, by name.
      steps: the stages that ML Metadata knows of, in the order in which they ran.
      config: the whole configuration as YAML.
      seed: of the configuration.
      command: a shell command that repeats the run; empty if there is none.
      versions: of Python and the libraries that the run's result depends on.
      pages: other pages of the run directory.
      lost: a line for each artifact that could not be read, by its name.
    """

    result: Result
    evaluation: Evaluation | None
    artifacts: dict[str, str]
    steps: list[Step]
    config: str
    seed: int
    command: str
    versions: dict[str, str]
    pages: Sequence[Page] = ()
    lost: dict[str, str] = dataclasses.field(default_factory=dict)
