"""Two runs side by side in Python."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import image_pipeline as ip
from components.report.comparison import ComparedRun
from pipeline.cli import main
from tests.report import factories
from tests.runs import History, copied

NAMES = ("circle", "square", "<b>triangle</b>")


def side(root: Path, names: tuple[str, ...] = NAMES, seed: int = 0, **config: Any) -> ComparedRun:
    run = factories.evaluated(root, names, seed=seed)
    return ComparedRun(run.result, {"trainer.epochs": 3, **config}, {"Trainer": "1"}, "sha256:1", run.artifacts)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> ComparedRun:
    return side(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def compared(first: ComparedRun, tmp_path_factory: pytest.TempPathFactory) -> ip.Comparison:
    """Two models that predict other images correctly, on the same data."""
    settings = {"trainer.epochs": 4, "trainer.layers": [8, 16]}
    return ip.Comparison([first, side(tmp_path_factory.mktemp("second"), seed=3, **settings)])


def test_the_settings_that_differ(compared: ip.Comparison) -> None:
    config = compared.config
    assert (config.index.name, list(config.columns)) == ("setting", ["a", "b"])
    assert config.loc["trainer.epochs"].tolist() == [3, 4]
    assert config.loc["trainer.layers"].tolist() == [None, [8, 16]]
    assert config.dtypes.astype(str).tolist() == ["object", "object"]


def test_the_metrics(compared: ip.Comparison) -> None:
    metrics = compared.metrics
    assert metrics.index.name == "metric"
    assert metrics.dtypes.astype(str).tolist() == ["float64"] * 9 + ["boolean"]
    accuracy = metrics.loc["accuracy"]
    assert accuracy["difference"] == pytest.approx(accuracy["b"] - accuracy["a"])
    assert accuracy["difference_low"] < accuracy["difference"] < accuracy["difference_high"]
    assert metrics.drop("accuracy")[["difference_low", "difference_high"]].isna().to_numpy().all()
    for row in compared.differences["metrics"]["rows"]:
        assert metrics.loc[row["name"], "a"] == row["a"]["value"]
        assert metrics["better"].isna()[row["name"]] == (row["better"] is None)


def test_mcnemar(compared: ip.Comparison) -> None:
    paired = compared.mcnemar
    both = compared.differences["metrics"]["both"]
    assert list(paired) == ["images", "shared", "a_right", "b_right", "gained", "lost", "p", "significant"]
    assert (paired["images"], paired["p"]) == ("same", both["p"])
    assert paired["b_right"] - paired["a_right"] == paired["gained"] - paired["lost"]
    assert paired["significant"] == (both["p"] < 1 - compared.differences["metrics"]["confidence"])
    json.dumps(paired)


def test_other_classes(first: ComparedRun, tmp_path: Path) -> None:
    other = ip.Comparison([first, side(tmp_path, (*NAMES[:2], "猫"))])
    assert other.metrics[["difference", "difference_low"]].isna().to_numpy().all()
    assert other.metrics["better"].isna().all()
    assert other.mcnemar["images"] == "some"
    assert other.config.empty
    assert list(other.config.columns) == ["a", "b"]


def test_a_run_that_evaluated_no_model(first: ComparedRun) -> None:
    run = factories.failed_at_once()
    comparison = ip.Comparison([first, ComparedRun(run.result, {}, {}, "", {})])
    for name in ("metrics", "mcnemar"):
        with pytest.raises(
            ip.UserError, match=r"^cannot compare the models: .* evaluated none; `.text` has what can be"
        ):
            getattr(comparison, name)
    assert "cannot be compared" in comparison.text
    assert comparison.config.loc["trainer.epochs"].tolist() == [3, None]


def test_it_is_shown_as_its_page(compared: ip.Comparison, capfd: pytest.CaptureFixture[str]) -> None:
    shown = compared._repr_mimebundle_()
    assert capfd.readouterr() == ("", "")
    assert shown["text/plain"] == repr(compared) == compared.text
    assert "McNemar's p =" in compared.text
    page = shown["text/html"]
    assert page.startswith('<iframe srcdoc="&lt;!')
    assert "McNemar" in page
    assert "data:image/" in page, "the images that one model alone predicts correctly"
    assert "<b>triangle" not in page
    assert "href=&quot;.." not in page


def test_unknown_runs(tmp_path: Path) -> None:
    with pytest.raises(ip.UserError, match=r"has no run '2026'; see `image-pipeline runs`"):
        ip.compare("2026", "2025", run_dir=tmp_path)
    with pytest.raises(ip.UserError, match="compare takes two Runs, or ids of runs as text, not 3"):
        ip.compare(3, "2025", run_dir=tmp_path)


@pytest.mark.slow
def test_runs_and_ids(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [history.first.run_id, history.second.run_id]
    capsys.readouterr()
    comparison = ip.compare(*ids, run_dir=history.folder)
    assert capsys.readouterr() == ("", "")
    runs = [ip.find_run(run_id, run_dir=history.folder) for run_id in ids]
    for a, b in ((runs[0], runs[1]), (runs[0], ids[1][:19]), (ids[0], runs[1])):
        assert ip.compare(a, b).differences == comparison.differences

    for words, expected in (((), comparison.text), (("--json",), json.dumps(comparison.differences, indent=2))):
        assert main(["compare", *ids, *words, "-q", "--run-dir", str(history.folder)]) == 0
        assert capsys.readouterr().out.rstrip() == expected
    assert set(comparison.config.index) == {"evaluator.min_accuracy", "evaluator.min_class_recall"} | {
        "trainer.learning_rate"
    }
    assert comparison.metrics.loc["accuracy", "a"] == history.first.metrics["accuracy"]["value"]
    assert comparison.mcnemar["shared"] == 30
    assert np.isfinite(comparison.metrics.loc["accuracy", "difference_low"])
    assert not (history.folder / "compare" / f"{ids[0]}..{ids[1]}.html").exists(), "a page is for `compare --open`"


@pytest.mark.slow
def test_runs_of_two_run_directories(history: History, tmp_path: Path) -> None:
    copy = copied(history.folder, tmp_path / "runs")
    here = ip.find_run(history.first.run_id, run_dir=history.folder)
    there = ip.find_run(history.second.run_id, run_dir=copy)
    assert ip.compare(here, there).mcnemar == ip.compare(here, history.second.run_id).mcnemar
    with pytest.raises(ip.UserError, match="has no run '1999'"):
        ip.compare(here, "1999")
    shutil.rmtree(copy)
