"""The card of a pushed model: the figures of the artifacts, in Markdown and as a page; names that would do harm."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from components.contracts import evaluation, predictions
from components.contracts import features as f
from components.contracts.checks import GateCheck
from components.report import card as cards
from components.report.page import markdown
from pipeline.cli import main
from tests.report import factories
from tests.report.page import Page
from tests.runs import History, artifact

HOSTILE = ("<script>alert(1)</script>", "a|b", "*bold*\n# title", "猫")


def made_up(root: Path, names: tuple[str, ...]) -> cards.Card:
    """Of the artifacts of a made-up run."""
    run = factories.evaluated(root, names, baseline=True)
    share = {"value": 0.5, "low": 0.2, "high": 0.8}
    return cards.Card(
        name="shapes",
        version="7",
        path="/models/7",
        runs={"trained": "run-1", "evaluated": "run-2", "pushed": "run-3"},
        when="2026-01-02 03:04",
        size=32,
        parameters=12_345,
        training={"epochs": 3, "learning_rate": 0.1},
        libraries={"keras": "3.12.0"},
        source="data/<i>shapes</i>",
        fingerprint="sha256:00",
        files=12,
        counts={split: dict.fromkeys(names, each) for split, each in factories.EACH.items()},
        measures={f.BRIGHTNESS: dict.fromkeys(f.SPLITS, (0.5, 0.1))},
        metrics=run.result.metrics | {"slices": [{"by": "size", "name": names[0], "pictures": 3, "accuracy": share}]},
        baseline="version 6",
        checks=[GateCheck("accuracy", "at least 50%", "66%", True, "close")],
        recorded=predictions.read(run.artifacts["predictions"]),
        examples=run.artifacts["examples"],
        lineage=[{"id": 9, "key": "model", "stage": "Trainer", "run_id": "run-1", "read": {1: "examples"}}],
    )


@pytest.mark.parametrize(("fit", "said"), [
    ("squash", "its proportions are lost"), ("crop", "the largest square in its middle"), ("pad", "two bars of grey"),
])  # fmt: skip
def test_the_card_says_what_becomes_of_an_image_that_is_not_square(tmp_path: Path, fit: str, said: str) -> None:
    card = dataclasses.replace(made_up(tmp_path, ("a", "b")), fit=fit)
    assert said in " ".join(cards.intended_use(card))


def test_the_card_says_that_large_images_were_reduced(tmp_path: Path) -> None:
    card = made_up(tmp_path, ("a", "b"))
    assert "reduced" not in " ".join(cards.intended_use(card))
    card = dataclasses.replace(card, reduced_to=1024)
    assert "first reduced to 1,024 pixels on the longer side" in " ".join(cards.intended_use(card))


def test_hostile_names_are_shown_and_do_nothing(tmp_path: Path) -> None:
    card = made_up(tmp_path, HOSTILE)
    cards.write(card, tmp_path / "card.md", tmp_path / "card.html")
    page = Page(tmp_path / "card.html")
    assert len(page.tags("script")) == 1
    assert not page.tags("i")
    assert all(name in page.text for name in ("<script>alert(1)</script>", "a|b", "猫", "*bold*\\n# title"))
    text = (tmp_path / "card.md").read_text()
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "\n# title" not in text
    rows = [line for line in text.splitlines() if line.startswith("| a\\|b |")]
    assert [line.replace("\\|", "").count("|") for line in rows] == [9, 6, 5]  # by class, confusions, images


def test_the_owner_and_the_licences_are_stated_or_said_to_be_missing(tmp_path: Path) -> None:
    card = made_up(tmp_path, ("a", "b"))
    for suffix in ("md", "html"):
        cards.write(card, tmp_path / "card.md", tmp_path / "card.html")
        text = (tmp_path / f"card.{suffix}").read_text()
        assert text.count("not stated; the setting") == 2
        assert "card.owner" in text
        stated = dataclasses.replace(card, owner="Anna <a@b.org>", data_licence="CC BY 4.0")
        cards.write(stated, tmp_path / "card.md", tmp_path / "card.html")
        text = (tmp_path / f"card.{suffix}").read_text()
        assert "not stated" not in text
        assert "CC BY 4.0" in text.replace("\\", "")
        assert "<a@b.org>" not in text.replace("\\<", "")


def test_the_confusion_matrix_and_the_test_images_are_those_of_the_evaluation(tmp_path: Path) -> None:
    names = ("circle", "square", "triangle")
    card = made_up(tmp_path, names)
    cards.write(card, tmp_path / "card.md", tmp_path / "card.html")
    page = Page(tmp_path / "card.html")
    measured = factories.evaluated(tmp_path / "again", names, baseline=True).evaluation
    assert measured is not None
    assert page.figures["matrix"] == [n for row in measured.confusion_matrix for n in row]
    row = " | ".join(map(str, measured.confusion_matrix[0]))
    assert f"| circle | {row} |" in (tmp_path / "card.md").read_text()
    assert [of["title"] for of in page.tags("img")] == [
        f"{f.TEST}/{name}/{i}.png" for name in names for i in range(factories.EACH[f.TEST])
    ]
    assert page.figures["majority"] == [1 / 3]


def test_of_many_classes_the_card_has_the_confusions_alone(tmp_path: Path) -> None:
    names = tuple(f"class {i:02}" for i in range(cards.MATRIX + 1))
    card = made_up(tmp_path, names)
    cards.write(card, tmp_path / "card.md", tmp_path / "card.html")
    page = Page(tmp_path / "card.html")
    assert "matrix" not in page.figures
    assert len(page.figures["confusion"]) == cards.CONFUSIONS
    assert len(page.tags("img")) == len(names) * factories.EACH[f.TEST]


def test_data_that_is_gone_leaves_a_note_in_place_of_the_images(tmp_path: Path) -> None:
    card = dataclasses.replace(made_up(tmp_path, ("a", "b")), examples=str(tmp_path / "gone"))
    cards.write(card, tmp_path / "card.md", tmp_path / "card.html")
    page = Page(tmp_path / "card.html")
    assert not page.tags("img")
    assert f"Not shown: sample images: {tmp_path / 'gone'} is gone" in page.text


def test_what_goes_wrong_most_is_a_limit(tmp_path: Path) -> None:
    card = made_up(tmp_path, ("circle", "square", "triangle"))
    pairs = cards.confusions(card.recorded)
    again = factories.evaluated(tmp_path / "again", ("circle", "square", "triangle"), baseline=True).evaluation
    assert again is not None
    matrix = again.confusion_matrix
    wrong = {(i, j): n for i, row in enumerate(matrix) for j, n in enumerate(row) if i != j and n}
    names = ("circle", "square", "triangle")
    assert {(a, b): n for a, b, n in pairs} == {(names[i], names[j]): n for (i, j), n in wrong.items()}
    assert [n for _, _, n in pairs] == sorted(wrong.values(), reverse=True)
    said = " ".join(cards.limits(card, pairs))
    assert f"{pairs[0][0]!r} predicted as {pairs[0][1]!r}" in said
    assert "tested on fewer than 30 images" in said


@pytest.mark.parametrize("text", ["_x_", "[a](b)", "`c`", "<br>", "a|b", "\\", "**x**", "&amp;", "# x", "![a](b)"])
def test_markdown_means_itself(text: str) -> None:
    escaped = markdown(text)
    assert escaped.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\") == text
    assert all(escaped[i - 1] == "\\" for i, c in enumerate(escaped) if c in "*_`<[|#&")


@pytest.mark.slow
def test_the_figures_are_those_of_the_evaluation(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    owner = ["--set", "card.owner=the team of shapes"]
    assert main(["card", "pictures/1", "--run-dir", str(history.folder), *owner]) == 0
    html, text = (Path(line) for line in capsys.readouterr().out.splitlines())
    assert html == history.folder / "runs" / history.first.run_id / "card.html"
    page = Page(html)
    assert {"../../index.html", "report.html"} <= {of["href"] for of in page.tags("a")}
    figures: dict[str, Any] = page.figures
    measured = evaluation.read(artifact(history.folder, "Evaluator", "evaluation", history.first.run_id).uri)
    assert set(figures["accuracy"]) == {measured.accuracy.value}
    assert figures["metric.expected_calibration_error"] == [measured.metrics["expected_calibration_error"]]
    assert figures["class.recall"] == [one.recall.value for one in measured.classes if one.recall]
    assert figures["total.train"] == [history.first.counts["train"]]  # type: ignore[index]
    said = text.read_text()
    assert "| owner | the team of shapes |" in said
    assert f"| accuracy | {measured.accuracy.value:.2%} | {measured.accuracy.low:.2%} to" in said
    for one in measured.classes:
        assert one.recall is not None
        assert f"| {one.name} | {one.pictures} | {one.recall.value:.2%} |" in said
    assert f"runs/{history.first.run_id}/card.html" in [
        str(of["href"]) for of in Page(history.folder / "index.html").tags("a")
    ]
