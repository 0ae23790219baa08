"""A run through the Python API, and what can be asked of it."""

from __future__ import annotations

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import image_pipeline as ip
from pipeline import ROOT
from tests.api.runs import SMALL
from tests.datasets import NAMES, write_folder

pytestmark = pytest.mark.slow


@dataclasses.dataclass(frozen=True)
class Made:
    """A run, what it printed, and the first batch that its Trainer was given."""

    run: ip.Run
    printed: str
    batch: tuple[np.ndarray, np.ndarray]
    data: Path
    run_dir: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    from components.trainer import input as trainer_input

    root = tmp_path_factory.mktemp("api")
    data = write_folder(root / "images", train=20, test=10)
    batches: list[Any] = []
    whole = trainer_input.training_batches

    def watched(*args: Any, **named: Any) -> Any:
        dataset = whole(*args, **named)
        if not batches:
            batches.append(next(dataset.as_numpy_iterator()))
        return dataset

    with pytest.MonkeyPatch.context() as patch, open(root / "printed", "w+") as screen:
        patch.setattr(trainer_input, "training_batches", watched)
        patch.setattr(sys, "stdout", screen)
        # Trained too little, so that there are mistakes to look at.
        run = ip.run(data, run_dir=root / "out", settings=SMALL, epochs=1)
        screen.seek(0)
        printed = screen.read()
    return Made(run, printed, batches[0], data, root / "out")


def test_it_ends_as_on_the_command_line(made: Made) -> None:
    run = made.run
    assert run.state == "pushed"
    assert run.pushed is not None
    assert Path(run.pushed["path"], "saved_model.pb").exists()
    assert run.why == []
    assert run.config["trainer.epochs"] == 1
    assert run.config["trainer.width"] == 8
    assert run.result["exit_code"] == 0
    assert Path(run.report or "").read_text().startswith("<!DOCTYPE html>")
    assert Path(run.log).exists()
    lines = made.printed.splitlines()
    assert len(lines) < 40
    assert lines[0] == "loading TensorFlow and TFX"
    assert any(line.startswith("pushed    version 1") for line in lines)


def test_it_is_found_again(made: Made) -> None:
    for name in (None, made.run.id, made.run.id[:19]):
        found = ip.find_run(name, run_dir=made.run_dir)
        assert found.result == made.run.result
        assert found.metrics.equals(made.run.metrics)
    with pytest.raises(ip.UserError, match="has no run '1999'"):
        ip.find_run("1999", run_dir=made.run_dir)


def test_metrics_have_intervals(made: Made) -> None:
    metrics = made.run.metrics
    assert list(metrics.columns) == ["value", "low", "high", "baseline"]
    assert (metrics.dtypes == "float64").all()
    accuracy = metrics.loc["accuracy"]
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert accuracy["value"] == made.run.result["metrics"]["accuracy"]["value"]
    assert np.isnan(accuracy["baseline"])
    assert np.isnan(metrics.loc["macro_f1", "low"])


def test_the_confusion_matrix_agrees_with_the_accuracy(made: Made) -> None:
    confusion = made.run.confusion
    assert list(confusion.index) == list(confusion.columns) == sorted(NAMES)
    assert (confusion.index.name, confusion.columns.name) == ("label", "predicted")
    assert confusion.to_numpy().sum() == 30
    assert np.trace(confusion) / 30 == pytest.approx(made.run.metrics.loc["accuracy", "value"])
    assert made.run.calibration["images"].sum() == 30


def test_the_history_has_a_row_an_epoch(made: Made) -> None:
    history = made.run.history
    assert list(history.index) == [1]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "images_per_second"} <= set(history.columns)


def test_the_classes(made: Made) -> None:
    classes = made.run.classes
    assert list(classes.index) == sorted(NAMES)
    assert (classes["test"] == 10).all()
    assert (classes["train"] + classes["validation"] == 20).all()
    recall = np.diag(made.run.confusion) / 10
    assert classes["recall"].tolist() == pytest.approx(recall.tolist())
    assert (classes["recall_low"] <= classes["recall"]).all()


def test_mistakes_are_the_wrong_predictions(made: Made) -> None:
    wrong = 30 - np.trace(made.run.confusion)
    mistakes = made.run.mistakes(1000)
    assert len(mistakes) == wrong > 0
    confidences = [item.confidence for item in mistakes]
    assert confidences == sorted(confidences, reverse=True)
    with open(Path(made.run.report or "").with_name("errors.csv"), newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    for item in mistakes:
        assert item.label != item.predicted
        assert Path(item.source).parts[-2] == item.label
        assert item.image.size == (32, 32)
        assert rows[item.source]["predicted"] == item.predicted
    assert len(made.run.mistakes(1)) == 1
    assert mistakes.frame["source"].tolist() == [item.source for item in mistakes]


def test_images_are_spread_over_the_classes(made: Made) -> None:
    images = made.run.images("test", 6)
    assert [item.label for item in images] == [name for name in sorted(NAMES) for _ in range(2)]
    for item in images:
        original = made.data / "test" / item.label / Path(item.source).name
        assert item.encoded == original.read_bytes()
    assert len(made.run.images("test", 1000)) == 30
    with pytest.raises(ip.UserError, match=r"unknown split 'tests'; did you mean test\?"):
        made.run.images("tests")


def test_the_dataset_is_what_the_trainer_saw(made: Made) -> None:
    dataset = made.run.dataset("train")
    images, labels = next(dataset.as_numpy_iterator())
    assert np.array_equal(images, made.batch[0])
    assert np.array_equal(labels, made.batch[1])
    in_training = int(made.run.classes["train"].sum())
    assert int(dataset.cardinality()) == sum(1 for _ in dataset) == in_training // 16
    for split in ("validation", "test"):
        seen = np.zeros(3)
        for _, labels, weights in made.run.dataset(split).as_numpy_iterator():
            seen += (labels * weights[:, None]).sum(axis=0)
        assert seen.tolist() == made.run.classes[split].tolist()


def test_the_model_is_the_one_that_was_evaluated(made: Made) -> None:
    model, hits = made.run.model, 0.0
    assert sum(made.run.summary.count(layer.name) > 0 for layer in model.layers) > 3
    for images, labels, weights in made.run.dataset("test").as_numpy_iterator():
        logits = model.predict(images, verbose=0)
        hits += float(((logits.argmax(1) == labels.argmax(1)) * weights).sum())
    assert hits == np.trace(made.run.confusion)
    assert made.run.augmentation.size[0] > made.run.augmentation.size[1]


def test_it_is_shown_with_its_report(made: Made) -> None:
    shown = made.run._repr_mimebundle_()
    assert shown["text/plain"] == repr(made.run)
    assert f"run       {made.run.id} of images" in repr(made.run)
    assert "\x1b" not in repr(made.run)
    accuracy = made.run.metrics.loc["accuracy"]
    assert f"{accuracy['low']:.2%} to {accuracy['high']:.2%}" in shown["text/html"]
    assert 'srcdoc="&lt;!DOCTYPE html&gt;' in shown["text/html"]


def test_a_model_that_is_refused_is_returned(made: Made) -> None:
    run = ip.run(made.data, run_dir=made.run_dir, settings=SMALL, epochs=1, min_accuracy=0.9999)
    assert (run.state, run.pushed) == ("refused", None)
    assert "is below the minimum 0.9999" in run.why[0]
    assert run.mistakes(1)
    assert run.result["cached"]


def test_data_that_the_gate_stops(made: Made, tmp_path: Path) -> None:
    data = write_folder(tmp_path / "images", train=20, test=10)
    for number in range(5):
        (data / "train" / "one" / f"{number:04d}.png").write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
    with pytest.raises(ip.GateRefused) as raised:
        ip.run(data, run_dir=tmp_path / "out", settings=SMALL)
    refused = raised.value
    assert refused.run.state == "refused"
    assert [finding["kind"] for finding in refused.findings if finding["action"] == "stop"] == ["rejected"]
    assert [finding.kind for finding in refused.run.findings] == [finding["kind"] for finding in refused.findings]
    assert len(refused.run.findings.frame) == 5
    assert refused.run.findings.frame["path"].str.contains("one").all()
    assert str(refused).splitlines()[-1] == f"report: {refused.run.report}"
    assert refused._render_traceback_() == [f"GateRefused: {refused}"]
    with pytest.raises(ip.UserError, match=r"evaluated no model: it was refused in DataGate"):
        _ = refused.run.metrics
    with pytest.raises(ip.UserError, match=r"has nothing of Trainer: it was refused in DataGate"):
        _ = refused.run.history
    assert refused.run.classes["train"].sum() > 0


def test_a_partial_run(made: Made) -> None:
    run = ip.run(made.data, run_dir=made.run_dir, settings=SMALL, last="datagate")
    assert run.state == "partial"
    assert list(run.result["stages"])[-1] == "DataGate"
    with pytest.raises(ip.UserError, match="evaluated no model: it ended after DataGate"):
        _ = run.confusion


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "/nowhere"}, "/nowhere: there is no such file or folder"),
        ({"data": "digits", "last": "Trainr"}, "unknown stage 'Trainr'; did you mean Trainer?"),
        ({"data": "digits", "first": "Trainer", "last": "DataGate"}, "the first stage, Trainer, comes after the last"),
        ({"data": "digits", "preset": "digit"}, "unknown preset 'digit'"),
    ],
)
def test_mistakes_of_the_user(arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ip.UserError) as raised:
        ip.run(**arguments, run_dir=tmp_path / "out")
    assert str(raised.value).startswith(message)
    assert not (tmp_path / "out").exists()


def test_an_interrupt_ends_it_and_the_same_call_resumes(made: Made, tmp_path: Path) -> None:
    """In a process of its own: a script gets KeyboardInterrupt, whose message says that the same call resumes."""
    code = f"""
        import image_pipeline as ip
        try:
            ip.run({str(made.data)!r}, run_dir={str(tmp_path / "out")!r}, settings={SMALL!r}, epochs=10000)
        except KeyboardInterrupt as error:
            print("caught", type(error).__name__, error)
            print(error.run.state, len(error.run.history) > 0)
    """
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    limit = threading.Timer(300, process.kill)
    limit.start()
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if "Trainer" in line and "epoch" in line:
            os.kill(process.pid, signal.SIGINT)
    limit.cancel()
    assert process.wait() == 0
    caught = next(line for line in lines if line.startswith("caught"))
    assert caught == "caught Stopped interrupted by Ctrl-C: run the same command to resume"
    assert lines[-1] == "interrupted True"
