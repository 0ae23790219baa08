"""The state of a run: one word, the same wherever it is said."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from components.contracts import run_result
from components.contracts.run_result import STILL_RUNNING, ExitCode, Result
from components.report.page import verdict

RESULT = Result(run_id="r", name="n", source="s", exit_code=0, log="", artifacts="", stages={})
PUSHED = {"version": "1", "path": "p"}


@pytest.mark.parametrize(
    ("exit_code", "pushed", "state"),
    [
        (ExitCode.DONE, PUSHED, "pushed"),
        (ExitCode.DONE, None, "partial"),
        (ExitCode.FAILED, None, "failed"),
        (ExitCode.FAILED, PUSHED, "failed"),
        (ExitCode.USAGE_ERROR, None, "failed"),
        (ExitCode.REFUSED, None, "refused"),
        (ExitCode.INTERRUPTED, None, "interrupted"),
        (ExitCode.TERMINATED, PUSHED, "interrupted"),
        (ExitCode.HUNG_UP, None, "interrupted"),
        (STILL_RUNNING, None, "running"),
    ],
)
def test_the_state_of_a_run(exit_code: int, pushed: dict[str, str] | None, state: str) -> None:
    result = dataclasses.replace(RESULT, exit_code=exit_code, pushed=pushed)
    assert run_result.state(result) == result.to_json()["state"] == verdict(result)["badge"] == state


def test_the_words_of_an_earlier_version_are_read_as_those_of_this_one(tmp_path: Path) -> None:
    stored = RESULT.to_json() | {"stages": {"Trainer": {"state": "stopped", "seconds": 1.0}}}
    (tmp_path / "result.json").write_text(json.dumps(stored))
    assert run_result.read(tmp_path / "result.json").stages["Trainer"]["state"] == "interrupted"
