"""TensorFlow Datasets: folders that it prepared, and `tfds:NAME` by its library, which a small one stands in for."""

from __future__ import annotations

import importlib.machinery
import json
import sys
import types
from pathlib import Path

import pytest

from components.contracts import features as f
from components.errors import UserError
from components.example_gen import sources
from components.example_gen.driver import fingerprint
from components.example_gen.formats.base import Features
from tests.datasets import png
from tests.example_gen import datasets


def prepared(folder: Path, shards: dict[str, int], names: str = "cat\ndog\n") -> Path:
    """Write a folder as TensorFlow Datasets prepares it; `shards` gives the number of images of each split."""
    folder.mkdir(parents=True)
    seed = 0
    for split, count in shards.items():
        rows = [
            {"image": png(datasets.pixels_of(seed + i)), "label": i % 2, "coarse": i // 2 % 2} for i in range(count)
        ]
        seed += count
        datasets.tfrecords(folder / f"pets-{split}.tfrecord-00000-of-00001", rows)
    (folder / "label.labels.txt").write_text(names)
    (folder / "coarse.labels.txt").write_text("small\nlarge\n")
    for name in ("features.json", "dataset_info.json"):
        (folder / name).write_text(json.dumps({"name": "pets"}))
    return folder


@pytest.mark.parametrize("given", ["", "/1.0.0", "/1.0.0/pets-*"])
def test_a_prepared_folder_has_the_names_of_its_classes(tmp_path: Path, given: str) -> None:
    prepared(tmp_path / "pets" / "1.0.0", {"train": 20, "test": 6})
    outcome = datasets.run(f"{tmp_path}/pets{given}", tmp_path / "out")
    assert outcome.counts["class_names"] == ["cat", "dog"]
    assert {example[f.CLASS_NAME] for example in outcome.all} == {b"cat", b"dog"}
    assert (len(outcome.splits["test"]), outcome.rejected) == (6, [])
    assert "the classes are named by label.labels.txt" in outcome.counts["notes"]


def test_another_label_has_its_own_names(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "pets", {"train": 20, "test": 8})
    outcome = datasets.run(folder, tmp_path / "out", features=Features(label="coarse"))
    assert outcome.counts["class_names"] == ["large", "small"]


def test_the_fingerprint_covers_the_names(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "pets", {"train": 4})
    for path in (folder, next(folder.glob("*train*"))):
        before = fingerprint(str(path), "tfrecords")
        (folder / "label.labels.txt").write_text(f"cat\n{path.name}\n")
        assert fingerprint(str(path), "tfrecords") != before


def test_mistakes_get_one_clear_line(tmp_path: Path) -> None:
    prepared(tmp_path / "a" / "1.0.0", {"train": 9})
    prepared(tmp_path / "a" / "2.0.0", {"train": 9})
    with pytest.raises(UserError, match=r"a: 2 prepared data sets are in it \(.*1\.0\.0, .*2\.0\.0\)\. Give one"):
        datasets.run(tmp_path / "a", tmp_path / "1" / "out")
    prepared(tmp_path / "b", {"train": 9}, names="cat\n")
    with pytest.raises(UserError, match="a label 1, but names for 1 classes"):
        datasets.run(tmp_path / "b", tmp_path / "2" / "out")


class Builder:
    """A builder of TensorFlow Datasets, as far as it is used."""

    def __init__(self, folder: Path, kept_as: str = "tfrecord") -> None:
        self.data_dir = folder
        self.info = types.SimpleNamespace(file_format=types.SimpleNamespace(value=kept_as))

    def download_and_prepare(self) -> None:
        if not self.data_dir.exists():
            prepared(self.data_dir, {"train": 20})


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def builder(name: str) -> Builder:
        if name == "nothing":
            raise ValueError("\nDataset nothing not found.\nDid you mean: something?")
        return Builder(tmp_path / "prepared" / name, "array_record" if name == "arrays" else "tfrecord")

    module = types.ModuleType("tensorflow_datasets")
    module.__spec__ = importlib.machinery.ModuleSpec("tensorflow_datasets", None)
    module.__dict__["builder"] = builder
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)


@pytest.mark.usefixtures("library")
def test_a_data_set_by_its_name(tmp_path: Path) -> None:
    source = sources.locate("tfds:my/pets:1.0.0", str(tmp_path / "cache"))
    assert source.name == "my-pets-1.0.0"
    for _ in range(2):
        (note,) = sources.fetch(source)
        assert note == f"tfds:my/pets:1.0.0 is read from {tmp_path}/prepared/my/pets:1.0.0"
    outcome = datasets.run(source, tmp_path / "out")
    assert outcome.counts["class_names"] == ["cat", "dog"]
    assert len(outcome.all) == 20


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", r"tfds:nothing: TensorFlow Datasets cannot prepare it \(Dataset nothing not found\)"),
        ("arrays", "tfds:arrays: it is kept as array_record in .*, and not as TFRecords"),
        ("", "name a data set of TensorFlow Datasets, like tfds:beans"),
    ],
)
def test_mistakes_in_the_name(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        sources.fetch(sources.locate(f"tfds:{name}", str(tmp_path / "cache")))
    assert "\n" not in str(caught.value)


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError, match="tfds:beans: the package tensorflow-datasets is not installed"):
        sources.locate("tfds:beans", "")
