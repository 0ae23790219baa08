"""Each kind of source through the whole chain, to a pushed model that answers."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from components.contracts import features
from components.contracts.counts import COUNTS_FILE
from components.contracts.run_result import Result
from pipeline import STAGES
from pipeline.cli import main
from tests.datasets import DIGITS, NAMES, write_digits, write_folder
from tests.example_gen import datasets
from tests.runs import artifact, run

pytestmark = pytest.mark.slow


def folder(work: Path) -> Path:
    return write_folder(work / "pictures")


def plain_folder(work: Path) -> Path:
    return write_folder(work / "pictures", given_splits=False)


def tar(work: Path) -> Path:
    with tarfile.open(work / "pictures.tar", "w") as archive:
        archive.add(write_folder(work / "unpacked"), "pictures")
    return work / "pictures.tar"


def tar_gz(work: Path) -> Path:
    with tarfile.open(work / "pictures.tar.gz", "w:gz") as archive:
        archive.add(write_folder(work / "unpacked"), "pictures")
    return work / "pictures.tar.gz"


def zipped(work: Path) -> Path:
    root = write_folder(work / "unpacked")
    with zipfile.ZipFile(work / "pictures.zip", "w") as archive:
        for file in sorted(root.rglob("*.png")):
            archive.write(file, file.relative_to(root))
    return work / "pictures.zip"


def tfrecords(work: Path) -> Path:
    root = write_digits(work / "examples", {"train": 150, "validation": 30, "test": 60})
    (work / "records").mkdir()
    for split in features.SPLITS:
        (root / f"Split-{split}" / "data_tfrecord-00000-of-00001.gz").rename(work / "records" / f"{split}.tfrecord.gz")
    return work / "records"


@pytest.mark.parametrize("make", [folder, plain_folder, tar_gz, tfrecords], ids=lambda make: make.__name__)
def test_a_source_ends_in_a_pushed_model(make: Callable[[Path], Path], tmp_path: Path) -> None:
    source = make(tmp_path)
    classes = DIGITS if make is tfrecords else NAMES
    result = run(tmp_path / "runs", source, "evaluator.min_accuracy=0.3", "evaluator.min_class_recall=0")
    assert result.exit_code == 0, result.why
    assert list(result.stages) == list(STAGES)
    assert_complete(result)
    counts = json.loads(next((tmp_path / "runs").rglob(COUNTS_FILE)).read_text())
    assert counts["class_names"] == sorted(classes)
    assert all(result.counts and result.counts[split] > 0 for split in features.SPLITS)


def test_archives_give_the_examples_of_their_folder(tmp_path: Path) -> None:
    """So that all later stages do the same: they see no more of the source."""
    examples = {}
    for make in (folder, tar, zipped):
        work = tmp_path / make.__name__
        work.mkdir()
        result = run(work / "runs", make(work), last="ExampleGen")
        assert result.exit_code == 0, result.why
        outcome = datasets.read(Path(artifact(work / "runs", "ExampleGen", "examples").uri))
        assert outcome.counts["class_names"] == sorted(NAMES)
        examples[make] = {split: datasets.without_source(rows) for split, rows in outcome.splits.items()}
    assert all(examples[folder].values())
    assert examples[tar] == examples[zipped] == examples[folder]


def assert_complete(result: Result) -> None:
    """A pushed model in TF Serving's layout, and metrics with their intervals."""
    assert result.pushed is not None
    assert (Path(result.pushed["path"]) / "saved_model.pb").exists()
    assert Path(result.pushed["path"]).name == result.pushed["version"] == "1"
    assert result.metrics is not None
    accuracy = result.metrics["accuracy"]
    assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert result.blessed is True
    assert Path(result.log).exists()


def test_the_embedded_digits_as_a_newcomer_runs_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The default run on the command line, then predict on image files and a folder of them."""
    runs = tmp_path / "runs"
    assert main(["run", "--run-dir", str(runs), "--json"]) == 0
    captured = capfd.readouterr()
    result = json.loads(captured.out.splitlines()[-1])
    assert len(captured.out.splitlines()) == 1
    assert result["counts"] == {"train": 1438, "validation": 180, "test": 179, "rejected": 0}
    assert result["metrics"]["accuracy"]["value"] > 0.95
    assert result["cached"] == []
    assert set(result["seconds"]) == set(STAGES)
    shown = [line.split()[0] for line in captured.err.splitlines() if line.startswith("  ") and " done " in line]
    assert sorted(shown) == sorted(STAGES)  # stages that do not wait for each other may come in any order
    assert "Traceback" not in captured.err
    assert "Warning" not in captured.err

    pictures = write_folder(tmp_path / "pictures", train=2, test=1)
    one = pictures / "train" / "zero" / "0000.png"
    assert main(["predict", str(one), "--run-dir", str(runs), "--json"]) == 0
    answer = json.loads(capfd.readouterr().out)
    assert answer["path"] == str(one)
    assert answer["class"] == "0"
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    answering = answer["model"]
    assert answering == {"name": result["name"], **result["pushed"], "run_id": result["run_id"]}
    assert main(["predict", str(one), "--model", result["pushed"]["path"], "--json"]) == 0
    elsewhere = json.loads(capfd.readouterr().out)
    assert elsewhere == answer | {"model": answering | {"run_id": ""}}, "no run directory knows that folder"
    assert main(["predict", str(pictures), "--run-dir", str(runs)]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 9
    (pictures / "broken.png").write_bytes(b"not an image")
    assert main(["predict", str(pictures), "--run-dir", str(runs)]) == 2
    captured = capfd.readouterr()
    assert len(captured.out.splitlines()) == 9
    assert "broken.png" in captured.err

    assert main(["runs", "--run-dir", str(runs), "--json"]) == 0
    row = json.loads(capfd.readouterr().out)[0]
    assert (row["run_id"], row["state"], row["pushed"], row["blessed"]) == (result["run_id"], "pushed", "1", True)
    assert main(["doctor", "--run-dir", str(runs)]) == 0
    assert "!!" not in capfd.readouterr().out
