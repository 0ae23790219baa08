"""The names of runs, and the lock of a run directory."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from components.errors import UserError
from pipeline.config import load
from pipeline.runs import run_dir


def test_runs_that_begin_in_one_moment_have_ids_of_their_own() -> None:
    """On one server of ML Metadata, two runs of one id would be taken for one run, with the stages of both."""
    ids = [run_dir.new_id() for _ in range(10)]
    assert len(set(ids)) == len(ids)


def test_an_id_tells_when_its_run_began() -> None:
    began = run_dir.started(run_dir.new_id())
    assert began is not None
    assert timedelta(0) <= datetime.now() - began < timedelta(seconds=60)


def test_a_mistake_is_not_taken_for_a_killed_run_and_does_not_hide_one(tmp_path: Path) -> None:
    config = load("digits", None, (f"run_dir={tmp_path}",))[0]
    lock = tmp_path / run_dir.LOCK_FILE
    with pytest.raises(UserError), run_dir.locked(config):
        raise UserError("no such stage")
    assert run_dir.lock_holder(config) == (None, False)
    lock.write_text("4711\n")  # as a killed process leaves it
    with pytest.raises(UserError), run_dir.locked(config):
        raise UserError("no such stage")
    assert lock.stat().st_size > 0
    with run_dir.locked(config) as held:
        assert held.died
    assert run_dir.lock_holder(config) == (None, False)
