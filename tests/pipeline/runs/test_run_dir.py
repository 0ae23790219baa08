"""The names of runs."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeline.runs import run_dir


def test_runs_that_begin_in_one_moment_have_ids_of_their_own() -> None:
    """On one server of ML Metadata, two runs of one id would be taken for one run, with the stages of both."""
    ids = [run_dir.new_id() for _ in range(10)]
    assert len(set(ids)) == len(ids)


def test_an_id_tells_when_its_run_began() -> None:
    began = run_dir.started(run_dir.new_id())
    assert began is not None
    assert timedelta(0) <= datetime.now() - began < timedelta(seconds=60)
