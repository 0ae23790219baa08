"""Two runs side by side: the figures of real runs, and the methods on figures from the literature."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from components.contracts import features as f
from components.contracts import predictions
from components.contracts.run_result import Result
from components.report import comparison, comparison_page
from components.report.comparison import ComparedRun
from components.report.comparison_page import change
from pipeline.cli import main
from pipeline.config import Trainer
from tests.report import factories
from tests.report.page import Page
from tests.runs import History, artifact

NAMES = ("circle", "square", "<b>triangle</b>")


def side(root: Path, names: tuple[str, ...] = NAMES, fingerprint: str = "sha256:1", **config: Any) -> ComparedRun:
    run = factories.evaluated(root, names)
    code = {"Trainer": "1"}
    return ComparedRun(run.result, {"trainer.epochs": 3, **config}, code, fingerprint, run.artifacts)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> ComparedRun:
    return side(tmp_path_factory.mktemp("first"))


def test_other_data_is_told_apart_and_its_statistics_too(first: ComparedRun, tmp_path: Path) -> None:
    other = side(tmp_path, NAMES, "sha256:2", **{"trainer.epochs": 4, "trainer.flip": True})
    found = comparison.compare(first, other)
    assert found["config"] == [
        {"key": "trainer.epochs", "a": 3, "b": 4},
        {"key": "trainer.flip", "a": None, "b": True},
    ]
    assert found["data"]["same"] is None
    moved = {(row["name"], row["split"]): row for row in found["data"]["statistics"]}
    assert moved[f.BRIGHTNESS, f.TRAIN]["moved"] == 0  # the images are the same, whatever the fingerprint says
    assert found["metrics"]["both"]["pictures"] == "same"
    assert "the bytes of the shared images" in found["cannot"][0]


def test_other_classes_are_no_reason_to_say_nothing(first: ComparedRun, tmp_path: Path) -> None:
    found = comparison.compare(first, side(tmp_path, (*NAMES[:2], "猫"), "sha256:2"))
    assert (found["data"]["only_a"], found["data"]["only_b"]) == ([NAMES[2]], ["猫"])
    assert "do not have the same classes" in found["cannot"][0]
    assert all(row["difference"] is None for row in found["metrics"]["rows"])
    assert {row["name"] for row in found["metrics"]["classes"]} == set(NAMES[:2])
    assert found["metrics"]["both"]["shared"] == 2 * factories.EACH[f.TEST]  # McNemar on these alone


def test_a_run_that_ended_early(first: ComparedRun) -> None:
    run = factories.failed_at_once()
    found = comparison.compare(first, ComparedRun(run.result, {}, {}, "", {}))
    assert (found["data"], found["metrics"]) == (None, None)
    assert [line.split(":")[0] for line in found["cannot"]] == ["the data", "the training", "the models"]
    json.dumps(found)


# ------------------------------------------------------------------------------------------------------------- the page
@pytest.fixture
def second(tmp_path: Path) -> ComparedRun:
    """A model that predicts other images correctly than `first`, on the same data."""
    run = factories.evaluated(tmp_path / "second", NAMES, seed=3)
    settings = {"trainer.epochs": 3, "trainer.label_smoothing": 0.2}
    return ComparedRun(run.result, settings, {"Trainer": "1"}, "sha256:1", run.artifacts)


def written(path: Path, *runs: ComparedRun) -> Page:
    found = comparison.compare(*runs)
    json.dumps(found)
    comparison_page.write(found, runs, [path, path], path)
    return Page(path)


def test_the_images_that_changed_sides_are_shown_with_both_predictions(
    first: ComparedRun, second: ComparedRun, tmp_path: Path
) -> None:
    tested = [predictions.read(run.artifacts["predictions"]) for run in (first, second)]
    assert tested[0] is not None
    assert tested[1] is not None
    before, now = tested[0].right, tested[1].right  # the images are in the same order
    page = written(tmp_path / "page.html", first, second)
    assert page.figures["gained"] == [(now & ~before).sum()]
    assert page.figures["lost"] == [(before & ~now).sum()]
    assert (before != now).any()
    assert len(page.tags("img")) == (before != now).sum()
    for row in np.flatnonzero(before != now):
        assert tested[0].source[row] in page.text
    changed = comparison.compare(first, second)["metrics"]["both"]["changed"]
    assert all((row["a" if row["right"] == "a" else "b"]["predicted"]) == row["class"] for row in changed)
    assert all((row["b" if row["right"] == "a" else "a"]["predicted"]) != row["class"] for row in changed)


def test_the_errors_of_a_kind_are_counted_in_both_runs(first: ComparedRun, second: ComparedRun) -> None:
    def errors(run: ComparedRun) -> Counter[tuple[str, int]]:
        answers = predictions.read(run.artifacts["predictions"])
        assert answers is not None
        wrong = ~answers.right
        return Counter(zip(answers.class_name[wrong].tolist(), answers.predicted[wrong].tolist()))

    for row in comparison.compare(first, second)["metrics"]["both"]["confusions"]:
        kind = (row["class"], NAMES.index(row["predicted"]))
        assert (row["a"], row["b"]) == (errors(first)[kind], errors(second)[kind])
        assert row["a"] != row["b"]


def test_the_curves_of_both_runs_are_on_shared_axes(first: ComparedRun, second: ComparedRun, tmp_path: Path) -> None:
    page = written(tmp_path / "page.html", first, second)
    charts = [of for of in page.tags("svg") if "both runs" in str(of["aria-label"])]
    assert len(charts) == 2
    for label in ("first, training", "first, validation", "second, training", "second, validation"):
        assert page.source.count(f">{label}</text>") == 2
    assert "trainer.label_smoothing differs, so the losses do not measure the same" in " ".join(page.text.split())


def test_a_run_without_a_training_leaves_the_other_curve(first: ComparedRun, tmp_path: Path) -> None:
    page = written(tmp_path / "page.html", first, ComparedRun(factories.failed_at_once().result, {}, {}, "", {}))
    assert "first, training" in page.source
    assert "second, training" not in page.source
    assert "The second run has no training." in page.text
    assert "trained no model" in page.text


def test_images_that_are_gone_are_said_to_be_gone(first: ComparedRun, second: ComparedRun, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    runs = [dataclasses.replace(run, artifacts=run.artifacts | {"examples": gone}) for run in (first, second)]
    page = written(tmp_path / "page.html", *runs)
    assert not page.tags("img")
    assert "no image left" in page.text
    assert f"Not shown: the images: {gone} is gone" in page.text


# ------------------------------------------------------------------------------------------------------------ real runs
def answers(history: History, result: Result) -> dict[str, bool]:
    folder = Path(artifact(history.folder, "ServingCheck", "predictions", result.run_id).uri)
    columns = np.load(folder / "predictions-00000.npz", allow_pickle=False)
    return dict(zip(columns[f.SOURCE].tolist(), (columns[f.LABEL] == columns[f.CLASS_INDEX]).tolist()))


@pytest.mark.slow
def test_mcnemar_on_the_images_that_both_saw(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = history.first, history.second
    assert main(["compare", first.run_id, second.run_id, "--json", "--run-dir", str(history.folder)]) == 0
    found = json.loads(capsys.readouterr().out)
    before, now = answers(history, first), answers(history, second)
    gained = sum(now[key] and not before[key] for key in before)
    lost = sum(before[key] and not now[key] for key in before)
    both = found["metrics"]["both"]
    assert (both["shared"], both["gained"], both["lost"]) == (len(before), gained, lost)
    assert both["p"] == pytest.approx(binomtest(gained, gained + lost).pvalue)
    assert found["data"]["same"] == "artifact"
    assert {"key": "trainer.learning_rate", "a": Trainer().learning_rate, "b": 1e-09} in found["config"]
    accuracy = found["metrics"]["rows"][0]
    assert (accuracy["a"], accuracy["b"]) == (first.metrics["accuracy"], second.metrics["accuracy"])  # type: ignore[index]
    low, high = (found["metrics"]["accuracy_interval"][key] for key in ("low", "high"))
    assert low < accuracy["difference"] < high


@pytest.mark.slow
def test_a_run_from_the_cache_is_the_same(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", history.first.run_id, history.again.run_id, "--run-dir", str(history.folder)]) == 0
    said = capsys.readouterr().out
    assert "serving.dir" in said  # all that they do not share
    assert "trainer." not in said
    assert "data      the same, byte for byte" in said
    assert "McNemar's p = 1," in said


@pytest.mark.slow
def test_the_page_says_what_the_text_says(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    first, other = history.first.run_id, history.other.run_id
    assert main(["compare", first, other, "--html", "--run-dir", str(history.folder)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.name == f"{first}..{other}.html"
    page = Page(path)
    assert "../index.html" in [of["href"] for of in page.tags("a")]
    assert main(["compare", first, other, "--run-dir", str(history.folder)]) == 0
    said = capsys.readouterr().out
    for line in ("the tasks differ", "Of 16 shared images"):
        assert line in said
        assert line in page.text
    assert page.figures["accuracy"] == [one.metrics["accuracy"]["value"] for one in (history.first, history.other)]  # type: ignore[index]
    links = [str(of["href"]) for of in Page(history.folder / "index.html").tags("a")]
    assert f"compare/{path.name}" in links
    assert main(["compare", first, other, "--html", "/proc/none/a.html", "--run-dir", str(history.folder)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: cannot write /proc/none/a.html")


def test_a_difference_that_rounds_to_nothing_is_neither_better_nor_worse() -> None:
    assert change({"name": "cross_entropy", "difference": -1e-7, "better": True}) == "the same to the digits shown"
    assert change({"name": "cross_entropy", "difference": -0.01, "better": True}) == "-0.0100, better"
