"""The commands to type next: exact, with the run directory, and none where nobody types."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest

from components.contracts.findings import Finding
from components.contracts.run_result import Result
from pipeline.cli import messages, next_steps, parser
from pipeline.cli.messages import Messages
from pipeline.config import load

RESULT = Result(
    run_id="20261126-032103.864-2454d7",
    name="digits",
    source="digits",
    exit_code=3,
    log="",
    artifacts="",
    stages={"Trainer": {"state": "done", "seconds": 1.0}},
)


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages.shutil, "which", lambda name: f"/usr/bin/{name}")


def after(folder: Path, words: str, *settings: str, **changes: Any) -> list[str]:
    config = load("digits", None, (f"run_dir={folder / 'a b'}", *settings))[0]
    result = dataclasses.replace(RESULT, **changes)
    commands = [command for command, _ in next_steps.after_run(result, config, shlex.split(words))]
    for command in commands:
        typed = shlex.split(command)
        assert typed[0] == "image-pipeline"
        parser(typed[1:]).parse_args(typed[1:])
    return [command.replace(str(folder), "") for command in commands]


def test_after_a_push(tmp_path: Path) -> None:
    assert after(tmp_path, "run", exit_code=0, pushed={"version": "1", "path": "p"}) == [
        "image-pipeline predict IMAGE --run-dir '/a b'",
        "image-pipeline report --open --run-dir '/a b'",
    ]


def test_after_a_refusal_of_the_model(tmp_path: Path) -> None:
    assert after(tmp_path, "run --from Trainer --set trainer.epochs=3", "trainer.epochs=3", blessed=False) == [
        "image-pipeline lineage 20261126-032103 --why --run-dir '/a b'",
        "image-pipeline run --set trainer.epochs=6",
    ]
    assert after(tmp_path, "run x", "trainer.minutes=1.5", blessed=False)[1:] == [
        "image-pipeline run x --set trainer.minutes=3"
    ]


def test_after_a_stop_at_the_gate(tmp_path: Path) -> None:
    leaks, damaged = Finding("leaks", "stop", "", 1), Finding("rejected", "stop", "", 1)
    warned = Finding("anomalies", "warn", "", 1)
    words = "run --set gate.leaks=stop 'my photos'"
    assert after(tmp_path, words, "gate.leaks=stop", findings=[leaks, damaged, warned]) == [
        "image-pipeline run 'my photos' --set gate.conflicts=drop --set gate.leaks=drop --set gate.rejected=warn",
        "image-pipeline report --open --run-dir '/a b'",
    ]
    dropped = after(tmp_path, "run --from=DataGate", "gate.leaks=drop", "gate.conflicts=drop", findings=[leaks])
    assert dropped[0] == "image-pipeline run", "the images are those of an ExampleGen before: it has to run again"


def test_after_an_interruption_the_same_command(tmp_path: Path) -> None:
    words = "run 'a b' --set metadata.url=mysql://me:secret@host/db"
    assert after(tmp_path, words, exit_code=130) == [
        "image-pipeline run 'a b' --set metadata.url=mysql://me:***@host/db",
        "image-pipeline report --open --run-dir '/a b'",
    ]


def test_after_a_part(tmp_path: Path) -> None:
    assert after(tmp_path, "run --to DataGate --tune 3", exit_code=0)[0] == "image-pipeline run --tune 3"


def test_after_a_mistake_nothing(tmp_path: Path) -> None:
    assert after(tmp_path, "run", exit_code=2, stages={}) == []


def test_the_default_directory_is_not_repeated() -> None:
    config = load("digits", None, ())[0]
    assert messages.command_line(config, "runs") == "image-pipeline runs"
    server = load("digits", None, ("metadata.url=env:DATABASE",))[0]
    assert messages.command_line(server, "runs") == "image-pipeline runs --set metadata.url=env:DATABASE"
    secret = load("digits", None, ("metadata.url=mysql://me:secret@host/db",))[0]
    assert "secret" not in messages.command_line(secret, "runs")


def test_none_for_a_program_and_none_if_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [("image-pipeline runs", "all runs")]
    Messages(as_json=True).next(steps)
    Messages(quiet=True).next(steps)
    Messages(quiet=True).say("loading TensorFlow")
    assert capsys.readouterr() == ("", "")
    Messages().next(steps)
    assert capsys.readouterr() == ("", "next      image-pipeline runs  # all runs\n")
    Messages().next([("image-pipeline show --run-dir " + "x" * 60, "one run")])
    assert capsys.readouterr().err.splitlines()[0] == "next      # one run"
