"""The page against the artifacts, for runs that ended in every way and names of every kind."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.contracts import features as f
from components.contracts import training
from components.contracts.counts import COUNTS_FILE
from components.contracts.findings import TRAIN_STATISTICS_FILE
from components.report import findings, index, thumbnails
from components.report.build import build, lineage
from components.report.run import Artifact, Run, Step
from tests.report import factories
from tests.report.page import Page

NAMES = ("circle", "square", "triangle")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><b>",
    "{{ 7 * 7 }} $\\frac{1}{2}$",
    "line\nbreak\u202egnp",
    "猫",
    "قطة",
    "&amp; 🐈",
    "x" * 500,
)


def page_of(run: Run, folder: Path) -> Page:
    path = folder / "report.html"
    build(run, path)
    return Page(path)


class Built(NamedTuple):
    folder: Path  # of the artifacts
    run: Run
    page: Page


def built(folder: Path, **options: bool) -> Built:
    run = factories.evaluated(folder, NAMES, **options)
    return Built(folder, run, page_of(run, folder))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Beside a baseline."""
    return built(tmp_path_factory.mktemp("second"), baseline=True)


def test_every_figure_is_the_artifacts(second: Built) -> None:
    folder, run, page = second
    figures = page.figures
    measured = run.evaluation
    assert measured is not None
    assert measured.baseline is not None
    by_recall = sorted(measured.classes, key=lambda one: one.recall.value)  # type: ignore[union-attr]
    for key in ("recall", "precision", "f1"):
        shown = [getattr(one, key) for one in by_recall if getattr(one, key)]
        for end, name in (("value", ""), ("low", ".low"), ("high", ".high")):
            assert figures[f"class.{key}{name}"] == [getattr(one, end) for one in shown]
    for end, name in (("value", ""), ("low", ".low"), ("high", ".high")):
        assert set(figures[f"accuracy{name}"]) == {getattr(measured.accuracy, end)}
    assert set(figures["ece"]) == {measured.metrics["expected_calibration_error"]}
    assert figures["cross_entropy"] == [measured.metrics["cross_entropy"].value]
    assert figures["top_2_accuracy"] == [measured.metrics["top_2_accuracy"].value]
    assert set(figures["test.pictures"]) == {measured.pictures}
    assert set(figures["baseline.accuracy"]) == {measured.baseline["accuracy"]}
    assert figures["calibration.accuracy"] == [measured.calibration[0].accuracy]
    assert figures["calibration.pictures"] == [measured.pictures]
    assert figures["errors"] == [round(measured.pictures * (1 - measured.accuracy.value))]
    assert figures["right"] == [round(measured.pictures * measured.accuracy.value)]
    # What the candidate won and lost against the baseline is the difference of the two accuracies.
    change = (measured.accuracy.value - measured.baseline["accuracy"]) * measured.pictures
    assert figures["gained"][0] - figures["lost"][0] == pytest.approx(change)

    counts = json.loads((folder / "examples" / COUNTS_FILE).read_text())
    assert figures["class"] == [counts["splits"][split][name] for name in NAMES for split in f.SPLITS]
    assert figures["rejected"] == [counts["rejected"]]
    for split in f.SPLITS:
        file = folder / "statistics" / f"Split-{split}" / "FeatureStats.pb"
        for feature in statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read_bytes()).datasets[0].features:
            name, numbers = feature.path.step[0], feature.num_stats
            for key in ("mean", "std_dev", "min", "median", "max"):
                assert figures[f"{name}.{split}.{key}"] == [getattr(numbers, key)]
    history = json.loads((folder / "model_run" / "history.json").read_text())
    for key in history[0]:
        assert figures[f"epoch.{key}"] == [epoch[key] for epoch in history]
    assert figures["parameters"] == [12345]
    assert figures["stage.seconds"] == [stage["seconds"] for stage in run.result.stages.values()]


def test_the_weights_of_the_classes_are_told(first: Built, tmp_path: Path) -> None:
    said = "The training loss was weighted by class (balanced)"
    assert said not in first.page.source
    run = factories.evaluated(tmp_path, NAMES)
    weights = {"circle": 0.5, "square": 1.75, "triangle": 1.0}
    (tmp_path / "model_run" / "class_weights.json").write_text(json.dumps({"kind": "balanced", "of_class": weights}))
    page = page_of(run, tmp_path)
    assert said in page.source
    assert (page.figures["weights.least"], page.figures["weights.most"]) == ([0.5], [1.75])


def test_a_pretrained_network_says_what_it_began_with_and_which_epoch_was_kept(tmp_path: Path) -> None:
    run = factories.evaluated(tmp_path, NAMES)
    record = training.read(str(tmp_path / "model_run"))
    fitted = dataclasses.replace(record.epochs[0], epoch=0, waiting=None, val_accuracy=0.2)
    best = dataclasses.replace(record.epochs[0], val_accuracy=0.99, kept=True)
    weights = training.Pretrained("Lite <0>", "0" * 64, "Apache-2.0", "https://example.org")
    epochs = [fitted, best, *record.epochs[1:]]
    training.write(str(tmp_path / "model_run"), dataclasses.replace(record, epochs=epochs, pretrained=weights))
    page = page_of(run, tmp_path)
    assert "It began with the weights Lite &lt;0&gt; (Apache-2.0)." in page.source
    assert f"{len(record.epochs)} epochs after it in" in page.text
    assert "Best epoch for validation: 1 with 99.00%, whose weights the model has." in page.text
    assert page.figures["history.val_accuracy"] == [0.99]


def test_where_the_last_layer_alone_was_fitted_nothing_is_drawn_by_epoch(first: Built, tmp_path: Path) -> None:
    run = factories.evaluated(tmp_path, NAMES)
    record = training.read(str(tmp_path / "model_run"))
    fitted = dataclasses.replace(record.epochs[0], epoch=0, waiting=None, kept=True, seconds=4.0)
    weights = training.Pretrained("Lite0", "0" * 64, "Apache-2.0", "https://example.org")
    plan = training.Budget(10, 0, 55, "none")
    training.write(str(tmp_path / "model_run"), training.Training([fitted], "", 9, None, weights, plan))
    page = page_of(run, tmp_path)
    assert "that is epoch 0. No other layer was trained: it was done in 4.0 s." in page.text
    assert "The training was planned to fit in 10 minutes: the last layer." in page.text
    drawn_by_epoch = ("Learning rate by epoch", "Best epoch", "on augmented images", "Augmentation")
    assert not [text for text in drawn_by_epoch if text in page.source]
    assert [text for text in drawn_by_epoch if text in first.page.source] == list(drawn_by_epoch)


def test_macro_f1_and_the_lowest_recall_come_first_where_classes_are_unequal(second: Built, tmp_path: Path) -> None:
    said = "macro F1 and the lowest recall decide"
    _, run, page = second
    assert said not in page.source
    measured = run.evaluation
    assert measured is not None
    few, *others = measured.classes
    uneven = dataclasses.replace(
        measured,
        classes=[dataclasses.replace(few, pictures=1), *others],
        metrics=measured.metrics | {"macro_f1": 0.5},
    )
    page = page_of(dataclasses.replace(run, evaluation=uneven), tmp_path)
    assert f"Classes are unequal (3 test images of 'triangle', 1 of 'circle'): {said}" in page.text
    tiles = [re.sub("<[^>]*>", "", tile) for tile in re.findall(r"<dt>(.*?)</dt>", page.source)]
    assert tiles[:3] == ["macro F1", "lowest recall", "top-2 accuracy"]
    assert page.figures["macro_f1"] == [0.5]


def test_a_gap_between_training_and_validation_is_commented_on(first: Built, tmp_path: Path) -> None:
    said = "the model has memorised the training images (overfitting). Try more images, more augmentation"
    assert said not in first.page.text
    run = factories.evaluated(tmp_path, NAMES)
    assert run.result.counts is not None
    run.result.counts[f.VALIDATION] = 27
    file = tmp_path / "model_run" / "history.json"
    epochs = [epoch | {"accuracy": 1.0, "val_accuracy": 0.778} for epoch in json.loads(file.read_text())]
    file.write_text(json.dumps(epochs))
    assert said in " ".join(page_of(run, tmp_path).text.split())


def test_an_interrupted_run_shows_the_epochs_that_it_had(first: Built, tmp_path: Path) -> None:
    said = "The training did not end."
    assert said not in first.page.text
    run = copy.deepcopy(first.run)
    epochs = [epoch.measured() for epoch in training.read(run.artifacts.pop("model_run")).epochs]
    run.result.epochs, run.result.exit_code, run.result.pushed = epochs, 130, None
    page = page_of(dataclasses.replace(run, evaluation=None), tmp_path)
    assert said in page.text
    assert page.figures["epoch.val_accuracy"] == [epoch["val_accuracy"] for epoch in epochs]
    assert "Resume: the stages that are done are kept" in page.text
    assert "interrupted" in page.text


def test_an_ensemble_is_told_from_one_long_training(first: Built, tmp_path: Path) -> None:
    run = factories.evaluated(tmp_path, NAMES)
    said = "2 networks, trained one after the other"
    assert said not in first.page.source
    file = tmp_path / "model_run" / "history.json"
    epochs = json.loads(file.read_text())
    file.write_text(json.dumps([{"network": number, **epoch} for number in (1, 2) for epoch in epochs]))
    page = page_of(run, tmp_path)
    assert said in page.source
    assert f"{len(epochs)} of network 1" in page.source, "the first of the best epochs"
    assert page.figures["epoch.network"] == [1] * len(epochs) + [2] * len(epochs)
    curves = re.findall(r'<path d="([^"]+)"[^>]*clip-path[^>]*var\(--series-1\)', page.source)
    broken = ["M"] + ["L"] * (len(epochs) - 1)
    assert sum(re.findall("[ML]", curve) == 2 * broken for curve in curves) == 4, "each chart begins again"


def test_the_epochs_of_an_ensemble_are_seen_where_each_network_has_one(tmp_path: Path) -> None:
    run = factories.evaluated(tmp_path, NAMES)
    file = tmp_path / "model_run" / "history.json"
    epoch, *_ = json.loads(file.read_text())
    file.write_text(json.dumps([{"network": number, **epoch} for number in (1, 2)]))
    marks = re.findall(r'<use href="#m\w+"[^>]*style="fill: var\(--series-1\)', page_of(run, tmp_path).source)
    assert len(marks) >= 2 * 4, "two points in each of the four charts"


def test_the_matrix_has_the_counts_of_the_artifact_and_their_images(first: Built) -> None:
    _, run, page = first
    assert run.evaluation is not None
    matrix = run.evaluation.confusion_matrix
    buttons = {of["data-cell"]: int(str(of["data-count"])) for of in page.tags("button") if "data-cell" in of}
    wanted = {f"{i}-{j}": n for i, row in enumerate(matrix) for j, n in enumerate(row) if n}
    assert buttons == wanted
    stored = json.loads(str(re.search(r'id="evaluation-data">(.*?)</script>', page.source, re.DOTALL)[1]))  # type: ignore[index]
    assert {cell: len(images) for cell, images in stored["cells"].items()} == wanted
    in_galleries = {of["data-row"]: of["src"] for of in page.tags("img") if "data-row" in of}
    for cell, images in stored["cells"].items():
        for row, source, label, answers, *uri in (stored["images"][at] for at in images):
            assert (label, answers[0][0]) == tuple(map(int, cell.split("-")))
            assert source.startswith(f"{f.TEST}/{NAMES[label]}/")
            assert bool(uri) != (str(row) in in_galleries), "an image is stored once"


def test_a_gallery_says_how_many_of_how_many_it_shows(first: Built) -> None:
    text = " ".join(first.page.text.split())
    measured = first.run.evaluation
    assert measured is not None
    wrong = round(measured.pictures * (1 - measured.accuracy.value))
    assert f"{wrong} of {wrong} image{'s are' if wrong > 1 else ' is'} shown" in text
    assert f"{measured.pictures} of {measured.pictures} images are shown" in text, "the lowest margins"
    galleries = re.findall(r'<div id="gallery-(\w+)">', first.page.source)
    assert galleries == ["errors", "margins", "right"]


def test_nothing_is_asked_of_the_network(second: Built) -> None:
    page = second.page
    for tag, of in page.elements:
        for key in ("src", "href", "action", "data", "poster", "srcset"):
            value = of.get(key) or ""
            assert not re.match(r"(?i)\s*([a-z]+:)?//", value), (tag, value)
            assert tag != "link"
    assert "url(http" not in page.source
    assert "@import" not in page.source
    policy = next(of["content"] for of in page.tags("meta") if of.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'")


def test_the_same_run_gives_the_same_bytes(second: Built, tmp_path: Path) -> None:
    assert page_of(second.run, tmp_path).source == second.page.source


def test_a_first_run_has_no_baseline_to_show(first: Built) -> None:
    page = first.page
    assert "No earlier model to compare with." in page.text
    assert "Compared with the baseline" not in page.text
    assert "served as version 7" in page.text


def test_the_trials_of_a_tuner_are_shown_the_best_marked(first: Built, tmp_path: Path) -> None:
    assert "Trials" not in first.page.text
    run = copy.deepcopy(first.run)
    run.result.trials = [
        {"score": 0.9, "learning_rate": 0.0831, "width": 48},
        {"score": 0.85, "learning_rate": 0.4, "width": 16},
        {"score": 0.0, "learning_rate": 12345.0, "width": 8},  # it diverged
    ]
    page = page_of(run, tmp_path)
    for name in ("score", "learning_rate", "width"):
        assert page.figures[f"trial.{name}"] == [trial[name] for trial in run.result.trials]
    assert re.findall(r'best</span> <data value="([^"]+)"', page.source) == ["0.9"]


def test_a_run_that_ended_after_the_evaluator_has_its_figures_but_no_images(first: Built, tmp_path: Path) -> None:
    run = copy.deepcopy(first.run)
    del run.artifacts["predictions"]
    page = page_of(run, tmp_path)
    assert run.evaluation is not None
    assert page.figures["test.pictures"][0] == run.evaluation.pictures
    assert "Most confident errors" not in page.source


def test_a_refused_model_says_why_first(tmp_path: Path) -> None:
    page = page_of(factories.evaluated(tmp_path, NAMES, pushed=False, baseline=True), tmp_path)
    why = page.text.index("accuracy 0.6000 is below the minimum 0.9000")
    assert page.text.index("refused") < why < page.text.rindex("Confusion matrix")
    assert "McNemar's exact test" in page.text


def test_data_stopped_at_the_gate(tmp_path: Path) -> None:
    page = page_of(factories.stopped_at_the_gate(tmp_path, NAMES), tmp_path)
    assert {"verdict", "data", "run"} <= page.ids()
    assert not {"training", "evaluation", "evaluation-data"} & page.ids()
    assert page.text.index("the data cannot be trusted") < page.text.index("1 image is in train and in test")
    assert page.text.count("<b>copy</b>.png") == 2  # in the finding and beside its image


def test_a_finding_has_the_image_that_it_is_about(tmp_path: Path) -> None:
    run = factories.stopped_at_the_gate(tmp_path, NAMES)
    leak, copies, anomaly = findings.view(run)
    (group,) = leak["groups"]
    sources = [place["source"] for place in group["pictures"]]
    # The train image is not in the data: the same pixels are found in test.
    assert group["uri"] == thumbnails.of_sources(str(tmp_path / "examples"), f.TEST, sources)[sources[1]]
    assert copies["groups"][0]["uri"] is not None
    assert anomaly["groups"] == []
    page = page_of(run, tmp_path)
    assert page.source.count(group["uri"]) == 1
    assert all(source in page.text for source in sources)


def test_the_search_for_training_images_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = factories.stopped_at_the_gate(tmp_path, NAMES)
    monkeypatch.setattr(findings, "SEARCHED", 10)
    leak, copies, _ = findings.view(run)
    assert leak["groups"][0]["uri"] is not None
    assert copies["groups"][0]["uri"] is None
    assert "not looked up" in page_of(run, tmp_path).text


def test_drift_is_shown_against_the_data_before(first: Built, second: Built) -> None:
    page = second.page
    for when, folder in (
        ("now", f"statistics/Split-{f.TRAIN}/FeatureStats.pb"),
        ("before", f"previous/{TRAIN_STATISTICS_FILE}"),
    ):
        statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString((second.folder / folder).read_bytes())
        for feature in statistics.datasets[0].features:
            name, numbers = feature.path.step[0], feature.num_stats
            assert page.figures[f"{name}.{when}.mean"] == [numbers.mean]
            assert page.figures[f"{name}.{when}.max"] == [numbers.max]
    assert "Drift: not computed (no earlier data to compare with)" in first.page.text


def test_slices_begin_with_what_hurts_most(first: Built) -> None:
    run, figures = first.run, first.page.figures
    assert run.evaluation is not None
    overall = run.evaluation.accuracy.value
    pictures, accuracy = figures["slice.pictures"], figures["slice.accuracy"]
    # The classes have a table of their own, and the size that every image has says nothing.
    assert len(pictures) == len(run.evaluation.slices) - 1
    assert figures["slice.excess"] == [n * (overall - value) for n, value in zip(pictures, accuracy)]
    assert figures["slice.excess"] == sorted(figures["slice.excess"], reverse=True)
    measured = [(one.pictures, one.accuracy) for one in run.evaluation.slices if one.by != "size"]
    shown = zip(pictures, accuracy, figures["slice.accuracy.low"], figures["slice.accuracy.high"])
    assert sorted(shown) == sorted((n, one.value, one.low, one.high) for n, one in measured)


def test_a_run_that_never_started(tmp_path: Path) -> None:
    page = page_of(factories.failed_at_once(), tmp_path)
    assert {"verdict", "run"} <= page.ids()
    assert "data" not in page.ids()
    assert "there is no folder 'pictures'" in page.text
    assert "before the first stage" in page.text


@pytest.mark.slow
def test_hostile_names_are_text(tmp_path: Path) -> None:
    plain = page_of(factories.evaluated(tmp_path / "plain", [f"class {i}" for i in range(len(HOSTILE))]), tmp_path)
    page = page_of(factories.evaluated(tmp_path / "hostile", HOSTILE), tmp_path)
    # The same elements, whatever the classes are called, and no handler in any of them.
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert not [of for _, of in page.elements if any(key.startswith("on") for key in of)]
    assert len(page.tags("script")) == 2
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "line\\nbreak\\u202egnp" in page.text
    assert "\u202e" not in page.source.split('id="evaluation-data"')[0]
    assert all(name in page.text for name in ("猫", "قطة", "&amp; 🐈"))
    assert "x" * 200 not in page.text


@pytest.mark.parametrize("classes", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_many_classes_fit(tmp_path: Path, classes: int) -> None:
    """Beyond a readable table the matrix is drawn, by what the page stores of its cells."""
    names = [f"kind {i:03d}" for i in range(classes)]
    run = factories.evaluated(tmp_path, names)
    page = page_of(run, tmp_path)
    assert len(page.source.encode()) < 5_000_000
    assert page.text.count("kind 099") >= 4
    assert "heat" in page.ids()
    assert "matrix" not in page.ids()
    assert len(page.tags("button")) < 100
    assert sum(map(len, page.figures.values())) < 40 * classes


def test_lineage_knows_what_this_run_made_and_what_came_from_earlier_ones() -> None:
    model, old = Artifact(1, "model", "Model", "/m/1"), Artifact(9, "baseline", "Model", "/m/0")
    steps = [Step("Trainer", [], [model]), Step("Evaluator", [model, old], [])]
    drawn = lineage(Run(factories.failed_at_once().result, None, {}, steps, "", 0, "", {}))
    assert [name for name, _, _ in drawn.rows] == ["earlier runs", "Trainer", "Evaluator"]
    assert [(arc.text, arc.earlier) for arc in drawn.arcs] == [
        ("Trainer to Evaluator: model", False),
        ("earlier runs to Evaluator: baseline", True),
    ]


def test_the_index_lists_every_run_the_newest_first(tmp_path: Path) -> None:
    runs = [factories.evaluated(tmp_path / "a", NAMES), factories.failed_at_once()]
    runs.append(factories.evaluated(tmp_path / "b", NAMES, pushed=False))
    report = tmp_path / "runs" / "0" / "report.html"
    entries = [
        index.Entry(dataclasses.replace(run.result, run_id=f"run-{i}"), report=None if i else report)
        for i, run in enumerate(runs)
    ]
    index.build(entries, tmp_path / "index.html")
    page = Page(tmp_path / "index.html")
    assert page.text.index("run-2") < page.text.index("run-1") < page.text.index("run-0")
    links = [str(of["href"]) for of in page.tags("a")]
    assert [link for link in links if not link.startswith("#")] == ["runs/0/report.html"]
    assert all(badge in page.text for badge in ("pushed", "failed", "refused"))
    accuracies = [run.evaluation.accuracy.value for run in (runs[2], runs[0]) if run.evaluation]
    assert page.figures["accuracy"] == accuracies
