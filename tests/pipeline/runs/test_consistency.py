"""A database beside artifacts that it does not know is found before a stage starts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from components.errors import UserError
from pipeline.config import Config, load
from pipeline.runs import consistency, run_dir
from pipeline.tracking import metadata
from tests.pipeline.runs.factories import add

COMPLETE = pb.Execution.COMPLETE


def make(folder: Path, runs: int = 2, **settings: str) -> Config:
    """A run directory with runs of two stages."""
    more = tuple(f"{key}={value}" for key, value in settings.items())
    config = load("digits", None, (f"run_dir={folder}", *more))[0]
    run_dir.create(config)
    for number in range(runs):
        go_on(config, f"{folder.name}-{number}")
    return config


def go_on(config: Config, run_id: str) -> None:
    for stage in ("ExampleGen", "Trainer"):
        add(config, run_id, stage, COMPLETE)
    end(config, run_id, "done")


def end(config: Config, run_id: str, state: str) -> None:
    folder = run_dir.of_run(config, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / run_dir.RESULT_FILE).write_text(json.dumps({"stages": {"ExampleGen": {"state": state}}}))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make(tmp_path / "out")


def database(config: Config) -> Path:
    return Path(config.run_dir, run_dir.SQLITE_FILE)


def test_what_belongs_together_passes(config: Config, tmp_path: Path) -> None:
    consistency.check(config)
    add(config, "killed", "Trainer", pb.Execution.RUNNING)
    end(config, "failed before its first stage", "failed")
    Path(run_dir.of_run(config, "half-written")).mkdir()
    Path(run_dir.of_run(config, "half-written"), run_dir.RESULT_FILE).write_text('{"stag')
    consistency.check(config)
    Path(config.run_dir).rename(tmp_path / "moved")
    consistency.check(load("digits", None, (f"run_dir={tmp_path / 'moved'}",))[0])
    consistency.check(make(tmp_path / "new", runs=0))


@pytest.mark.parametrize("how", ["missing", "empty", "without tables", "older", "another's", "another's and longer"])
def test_a_database_that_does_not_know_the_artifacts_is_refused(how: str, config: Config, tmp_path: Path) -> None:
    if how == "older":
        shutil.copy(database(config), tmp_path / "backup")
        go_on(config, "after the backup")
        shutil.copy(tmp_path / "backup", database(config))
    elif how.startswith("another's"):
        shutil.copy(database(make(tmp_path / "other", runs=5 if "longer" in how else 2)), database(config))
    else:
        database(config).unlink()
        if how == "empty":
            database(config).touch()
        elif how == "without tables":
            metadata.open_store(config)
    with pytest.raises(UserError, match=r"metadata.sqlite is .* does not know .*; or move .*artifacts away") as raised:
        consistency.check(config)
    assert "\n" not in str(raised.value)
    assert database(config).exists() is (how != "missing"), "it is not made again"
    shutil.move(run_dir.artifacts(config), tmp_path / "away")
    consistency.check(config)


def test_artifacts_elsewhere_are_looked_at_too(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    config = make(tmp_path / "out", artifacts_dir=str(elsewhere))
    consistency.check(config)
    with pytest.raises(UserError, match="elsewhere/digits/ExampleGen/out/"):
        consistency.check(make(tmp_path / "new", runs=0, artifacts_dir=str(elsewhere)))
    (elsewhere / "digits").rename(elsewhere / "of another pipeline")
    consistency.check(make(tmp_path / "newer", runs=0, artifacts_dir=str(elsewhere)))
    shutil.rmtree(config.run_dir)


def test_a_cached_run_that_a_backup_does_not_know_is_missed_too(config: Config, tmp_path: Path) -> None:
    """It made no folder."""
    end(config, "out-9", "cached")
    with pytest.raises(UserError, match="does not know run out-9"):
        consistency.check(config)
