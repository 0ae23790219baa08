"""`lineage` and `lineage --why` on real runs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from components.contracts import evaluation
from components.example_gen import driver
from pipeline.cli import main
from tests.runs import History, artifact

pytestmark = pytest.mark.slow


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
    # There was no baseline.
    assert list(checks) == ["accuracy beside guessing", "accuracy", "recall of each class", "ServingCheck"]
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


def test_lineage_leads_from_a_version_to_its_data_and_back(
    history: History, ask: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = history.first.run_id, history.second.run_id
    version = ask("lineage", "pictures/1", "--json")
    assert version["artifact"]["run_id"] == first
    assert {"ExampleGen", "Transform", "Trainer", "Evaluator", "ServingCheck"} <= {
        node["stage"] for node in version["back"]
    }
    (data,) = (node for node in version["back"] if node["key"] == "examples")
    assert data["uri"] == artifact(history.folder, "ExampleGen", "examples", first).uri
    # The data was not read again for the second run: both models were trained on it.
    data_lineage = ask("lineage", f"#{data['id']}", "--json")
    assert [node["run_id"] for node in data_lineage["forward"] if node["key"] == "model"] == [first, second]
    assert ask("lineage", second, "--json")["artifact"]["run_id"] == second
    assert str(history.pictures) in ask("lineage", "pictures/1")
    # The model pushed last is the default.
    assert ask("lineage", "--json") == ask("lineage", "fewer/1", "--json")
    assert main(["lineage", "99", "--run-dir", str(history.folder)]) == 2
    assert "there is no '99'" in capsys.readouterr().err
