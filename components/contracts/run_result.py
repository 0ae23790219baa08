"""The result of a run: the object of `run --json` and of result.json."""

from __future__ import annotations

import dataclasses
import json
import os
from enum import IntEnum
from typing import Any

from components import files
from components.contracts import stored
from components.contracts.findings import Finding

RESULT_FILE = "result.json"
REPORT_FILE = "report.html"  # the page of the run
PREDICTIONS_FILE, ERRORS_FILE = "predictions.csv", "errors.csv"  # beside it
STILL_RUNNING = -1  # in place of an exit code; never stored


class ExitCode(IntEnum):
    """The exit code of a run."""

    DONE = 0  # the model was pushed, or all that was asked for was done
    FAILED = 1
    USAGE_ERROR = 2
    REFUSED = 3  # by a gate
    HUNG_UP = 129  # SIGHUP
    INTERRUPTED = 130  # Ctrl-C
    TERMINATED = 143  # SIGTERM


STOPPED = (ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.HUNG_UP)

# The states of a run: one word each, on the terminal, in `runs`, in `--json` and on the pages.
STATES = PUSHED, REFUSED, FAILED, INTERRUPTED, PARTIAL, RUNNING = (
    "pushed",
    "refused",  # by a gate: the data or the model
    "failed",  # by a fault, or a mistake of the user
    "interrupted",  # by a signal
    "partial",  # ended before Pusher, as requested
    "running",
)


@dataclasses.dataclass
class Result:
    """The result of one run; scripts rely on `to_json`.

    Attributes:
      exit_code: of the command; STILL_RUNNING if a stage of the run writes the page.
      stages: of each that ran {"state", "seconds", "cpu_seconds", "peak_bytes"}.
      counts: images a split, and rejected.
      notes: how the source was understood.
      metrics: the summary of contracts/evaluation.py; None: not evaluated.
      blessed: None: not evaluated.
      why: it was refused or failed.
      advice: what to try next, as contracts/advice.py has it.
      trials: of the Tuner, the best first, as contracts/tuning.py reads them.
      epochs: of a training that did not end, each as contracts/training.py's Epoch; else empty.
      findings: of the gate, with a few examples each.
      pushed: {"version", "path"}
      served: the served version at the end: {"version", "is": the version that it copies, after a rollback}
      report: path of the page; None where it could not be made.
      versions: of Python and the libraries.
    """

    run_id: str
    name: str
    source: str
    exit_code: int
    log: str
    artifacts: str
    stages: dict[str, dict[str, Any]]
    preset: str = ""
    counts: dict[str, int] | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    metrics: dict[str, Any] | None = None
    blessed: bool | None = None
    why: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    advice: list[str] = dataclasses.field(default_factory=list)
    trials: list[dict[str, float]] = dataclasses.field(default_factory=list)
    epochs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    findings: list[Finding] = dataclasses.field(default_factory=list)
    pushed: dict[str, str] | None = None
    served: dict[str, str] | None = None
    report: str | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds that each stage took."""
        return {name: stage["seconds"] for name, stage in self.stages.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the stored fields, and values that scripts would otherwise compute from them."""
        cached = [name for name, stage in self.stages.items() if stage["state"] == "cached"]
        return dataclasses.asdict(self) | {"state": state(self), "seconds": self.seconds, "cached": cached}


def state(result: Result) -> str:
    """Return the state of a run, one of STATES."""
    if result.exit_code == STILL_RUNNING:
        return RUNNING
    if result.exit_code == ExitCode.DONE:
        return PUSHED if result.pushed else PARTIAL
    if result.exit_code == ExitCode.REFUSED:
        return REFUSED
    return INTERRUPTED if result.exit_code in STOPPED else FAILED


def write(path: str | os.PathLike[str], result: Result) -> None:
    """Write the result to `path` atomically."""
    files.write_atomic(path, json.dumps(result.to_json(), indent=2) + "\n")


def read(path: str | os.PathLike[str]) -> Result:
    """Read a stored result; unknown keys of other versions are ignored.

    Raises:
      OSError: there is no such file.
      ValueError: it is damaged.
    """
    try:
        result = stored.read(Result, os.fspath(path))
        for stage in result.stages.values():
            if stage["state"] == "stopped":  # the word of an earlier version
                stage["state"] = INTERRUPTED
        _ = result.to_json()
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from None
    return result
