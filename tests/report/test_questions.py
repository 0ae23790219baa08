"""`runs`, `lineage`, `lineage --why` and `board` on the runs of a real run directory."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from components.contracts import evaluation
from components.example_gen import driver
from pipeline.cli import main
from tests.end_to_end.support import artifact
from tests.report.conftest import History

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "tfx", "apache_beam", "tensorflow_model_analysis", "keras")


@pytest.fixture
def ask(history: History, capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command prints: an object if asked for --json."""

    def answer(*words: str) -> Any:
        capsys.readouterr()
        assert main([*words, "--run-dir", str(history.folder)]) == 0
        said = capsys.readouterr().out
        return json.loads(said) if "--json" in words else said

    return answer


def test_runs_filters_and_sorts(history: History, ask: Any) -> None:
    everything = ask("runs", "--json")
    newest_first = [history.other, history.again, history.second, history.first]
    assert [row["run_id"] for row in everything] == [one.run_id for one in newest_first]
    for row, result in zip(everything, newest_first):
        assert row["accuracy"] == result.metrics["accuracy"]  # type: ignore[index]
        assert row["preset"] == "folder"
        assert row["blessed"] == result.blessed
        assert row["pushed"] == (result.pushed or {}).get("version")
    best = [row["accuracy"]["value"] for row in ask("runs", "--sort", "accuracy", "--json")]
    assert best == sorted(best, reverse=True)
    assert [row["run_id"] for row in ask("runs", "--filter", "pushed=no", "--json")] == [history.second.run_id]
    both = ask("runs", "--filter", "pushed", "--filter", "name=few*", "--json")
    assert [row["run_id"] for row in both] == [history.other.run_id]
    table = ask("runs")
    for result in newest_first:
        assert result.run_id in table
        assert f"{result.metrics['accuracy']['low']:.1%} to" in table  # type: ignore[index]
    assert "none of the 4 runs" in ask("runs", "--filter", "ended=failed")


def test_lineage_from_the_served_version_to_the_bytes_of_the_data(history: History, ask: Any) -> None:
    content, _, files = driver.fingerprint(str(history.pictures)).partition(",num_files:")
    for version in ("pictures/1", "pictures/2"):
        said = ask("lineage", version)
        assert content in said
        assert f"from {history.pictures}, {int(files):,} files" in said
        assert f"trained by run {history.first.run_id}" in said  # also of the one that came from the cache
    assert content not in ask("lineage", "fewer/1")
    assert f"run {history.second.run_id}" in ask("lineage", history.second.run_id)


def test_lineage_from_data_to_every_model_that_it_trained(history: History, ask: Any) -> None:
    number = artifact(history.folder, "ExampleGen", "examples", history.again.run_id).id
    content = driver.fingerprint(str(history.pictures)).partition(",")[0]
    for data in (f"#{number}", str(history.pictures), content):
        told = ask("lineage", data).partition("and what came of it")[0].splitlines()
        models = [line.split() for line in told if re.match(r"  #\d+ ", line)]
        assert [words[3] for words in models] == [history.first.run_id, history.second.run_id]
        assert " ".join(models[0][4:]) == "version 1, version 2"
        assert " ".join(models[1][4:]) == "not pushed"


def test_a_version_of_two_models_must_be_named(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["lineage", "1"], ["lineage", "--why", "1"], ["card", "1"]):
        assert main([*command, "--run-dir", str(history.folder)]) == 2
        assert capsys.readouterr().err == "error: 2 models have a version 1; write fewer/1 or pictures/1\n"


def test_why_tells_each_threshold_with_what_was_measured(history: History, ask: Any) -> None:
    why = ask("lineage", "--why", "pictures/1", "--json")
    measured = evaluation.read(artifact(history.folder, "Evaluator", "evaluation", history.first.run_id).uri)
    assert why["blessed"] is True
    assert why["metrics"]["accuracy"]["value"] == measured.accuracy.value
    checks = {one["name"]: one for one in why["checks"]}
    assert list(checks) == ["accuracy", "recall of each class", "ServingCheck"]  # there was no baseline
    assert checks["accuracy"]["needed"] == "at least 30.00%"
    assert checks["accuracy"]["measured"].startswith(f"{measured.accuracy.value:.2%} ({measured.accuracy.low:.2%} to")
    assert why["model"]["trained_by"] == history.first.run_id
    assert why["data"]["counts"]["train"] == history.first.counts["train"]  # type: ignore[index]
    said = ask("lineage", "--why", "pictures/2")
    assert f"trained   by run {history.first.run_id}" in said
    assert "baseline  none" in said


def test_why_without_the_run_s_own_note_asks_the_artifact(history: History, ask: Any) -> None:
    note = history.folder / "runs" / history.first.run_id / "result.json"
    said = ask("lineage", "--why", "pictures/1", "--json")
    note.rename(note.with_suffix(".away"))
    try:
        assert ask("lineage", "--why", "pictures/1", "--json") == said
    finally:
        note.with_suffix(".away").rename(note)


def test_why_a_model_was_refused(history: History, ask: Any) -> None:
    why = ask("lineage", "--why", history.second.run_id, "--json")
    assert why["blessed"] is False
    failed = [one["name"] for one in why["checks"] if not one["passed"]]
    assert "accuracy" in failed
    # What TFMA itself says of the same thresholds.
    uri = artifact(history.folder, "Evaluator", "evaluation", history.second.run_id).uri
    said = evaluation.failures(uri)
    assert ("accuracy beside the baseline" in failed) == any("below the baseline" in line for line in said)
    assert ("recall of each class" in failed) == any(line.startswith("recall") for line in said)
    beside = next(one for one in why["checks"] if one["name"] == "accuracy beside the baseline")
    assert "below version 1" in beside["needed"]
    assert "FAILED" in ask("lineage", "--why", history.second.run_id)
    assert f"the model of run {history.first.run_id}" in ask("lineage", "--why", str(history.pictures))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nosuch"), "no run 'nosuch'"),
        (("report", "nosuch"), "no run 'nosuch'"),
        (("lineage", "nosuch"), "there is no 'nosuch' in"),
        (("lineage", "#999"), "no '#999'"),
        (("lineage", "pictures/9"), "no version 'pictures/9'"),
        (("lineage", "sha256:00ff"), "no 'sha256:00ff'"),
        (("compare", "20", "nosuch"), "4 runs begin with '20'"),
        (("card", "9"), "no version '9'"),
        (("runs", "--filter", "colour=red"), "filter by name, data, preset"),
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_one_clear_line(
    words: tuple[str, ...], said: str, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--run-dir", str(history.folder)]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)


def test_no_answer_needs_tensorflow(history: History) -> None:
    """Each command in one process after the other: none of them may import what takes seconds."""
    first, second = history.first.run_id, history.second.run_id
    asked = [["runs"], ["show"], ["report"], ["lineage"], ["lineage", "--why"], ["compare", first, second], ["card"]]
    code = f"""
import sys
from pipeline.cli import main
for words in {asked!r}:
    assert main([*words, "--run-dir", {str(history.folder)!r}]) == 0, words
print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.splitlines()[-1] == "heavy: []", done.stdout + done.stderr


def test_the_board_shows_every_training_by_its_run(history: History) -> None:
    command = [sys.executable, "-m", "pipeline", "board", "--port", "0", "--run-dir", str(history.folder)]
    board = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert board.stdout is not None
        said = board.stdout.readline()
        trained = (history.first, history.second, history.other)
        assert f"shows 3 trainings of {history.folder}" in said
        url = said.split()[1]
        wanted = {f"{one.run_id}/{part}" for one in trained for part in ("train", "validation")}
        shown: set[str] = set()
        for _ in range(60):
            with urllib.request.urlopen(f"{url}data/runs", timeout=30) as answer:
                shown = set(json.load(answer))
            if shown >= wanted:
                break
            time.sleep(0.5)
        assert shown == wanted
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert b"TensorBoard" in answer.read()
    finally:
        board.send_signal(signal.SIGINT)
        assert board.wait(60) == 0
