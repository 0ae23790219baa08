"""What a run that was killed leaves in ML Metadata and on the disk, and what the next run and doctor make of it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from components import files
from components.errors import UserError
from components.pusher import incoming
from pipeline.cli import main
from pipeline.config import Config, load
from pipeline.runs import repair, run_dir
from pipeline.tracking import metadata
from tests.pipeline.runs.factories import add


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = load("digits", None, (f"run_dir={tmp_path}/out",))[0]
    run_dir.create(config)
    return config


def states(config: Config) -> list[str]:
    executions = metadata.open_store(config).get_executions()
    return [str(pb.Execution.State.Name(execution.last_known_state)) for execution in executions]


def test_only_what_never_ended_is_removed(config: Config) -> None:
    whole = add(config, "first", "ExampleGen", pb.Execution.COMPLETE)
    running = add(config, "first", "Trainer", pb.Execution.RUNNING)
    failed = add(config, "second", "Trainer", pb.Execution.FAILED)
    elsewhere = add(config, "of another run directory", "Trainer", pb.Execution.RUNNING, here=False)
    pushing = Path(run_dir.serving(config), f"{incoming.INCOMING}1")
    pushing.mkdir(parents=True)
    working = Path(run_dir.artifacts(config), "Trainer", ".system", "stateful_working_dir", "a uuid")
    working.mkdir(parents=True)
    fresh = run_dir.of_run(config, "first") / f"{files.FRESH}1"
    fresh.touch()
    message = "1 execution left RUNNING, 5 incomplete folders, 1 incomplete push, 1 incomplete file"
    assert repair.fix(config) == message
    assert not fresh.exists()
    assert whole.exists()
    assert elsewhere.exists()
    assert not any(folder.exists() for folder in (running, failed, pushing, working))
    assert states(config) == ["COMPLETE", "CANCELED", "FAILED", "RUNNING"]
    assert list(Path(run_dir.artifacts(config), "Trainer").glob(".system/*/*/half")) == [
        Path(run_dir.artifacts(config), "Trainer", ".system", "executor_execution", elsewhere.name, "half")
    ]
    assert repair.fix(config) == ""


def test_a_push_that_goes_on_is_left_alone(config: Config) -> None:
    """Another run directory may push to the same folder."""
    base = Path(run_dir.serving(config))
    base.mkdir(parents=True)
    with incoming.folder(str(base)) as folder:
        assert repair.fix(config) == ""
        assert os.path.isdir(folder)
    assert repair.fix(config) == "1 incomplete push"


def test_without_a_store_there_is_nothing_to_mend(config: Config) -> None:
    assert repair.fix(config) == ""
    assert os.listdir(config.run_dir) == []


def test_the_lock_tells_that_its_last_holder_died(config: Config) -> None:
    run_dir.create(config)
    with run_dir.locked(config) as lock:
        assert not lock.died
    child = os.fork()
    if not child:
        with run_dir.locked(config):
            os._exit(0)
    os.waitpid(child, 0)
    with run_dir.locked(config) as lock:
        assert lock.died
    with run_dir.locked(config) as lock:
        assert not lock.died


def test_a_lock_that_cannot_be_written_is_a_mistake(config: Config) -> None:
    run_dir.create(config)
    Path(config.run_dir, run_dir.LOCK_FILE).mkdir()
    with pytest.raises(UserError, match=r"cannot write .*lock: Is a directory; choose another"), run_dir.locked(config):
        pass


@pytest.mark.slow
def test_doctor_names_it_and_mends_it(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    folder = add(config, "first", "Trainer", pb.Execution.RUNNING)
    lock = Path(config.run_dir, run_dir.LOCK_FILE)
    lock.write_text("99999999\n")
    doctor = ["doctor", "--run-dir", config.run_dir]
    assert main(doctor) == 1
    message = capsys.readouterr().out
    assert "1 execution left RUNNING, 2 incomplete folders" in message
    assert str(folder) in message
    assert "left by process 99999999" in message
    assert folder.exists()
    assert main([*doctor, "--fix"]) == 0
    assert not folder.exists()
    assert states(config) == ["CANCELED"]
    assert main(doctor) == 0
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
