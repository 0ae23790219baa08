"""Folders with metadata.csv or metadata.jsonl, as Hugging Face's ImageFolder has them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from components.contracts import features as f
from components.errors import UserError
from components.example_gen import sources
from tests.datasets import png
from tests.example_gen import datasets


def folder(root: Path, images: Mapping[str, str | None], tables: Mapping[str, list[str]]) -> Path:
    """Write an image for each name, and tables of those; `images` gives their labels, `tables` the names in each."""
    content: dict[str, bytes | None] = {name: png(datasets.pixels_of(i)) for i, name in enumerate(images)}
    for table, names in tables.items():
        start = len(table.rpartition("/")[0])
        rows = [(name[start:].lstrip("/"), images.get(name, "cat")) for name in names]
        if table.endswith("csv"):
            text = "file_name,label\n" + "".join(f"{name},{label}\n" for name, label in rows)
        else:
            text = "".join(json.dumps({"file_name": name, "label": label}) + "\n" for name, label in rows)
        content[table] = text.encode()
    return datasets.folder(root, content)


def of_splits(splits: Mapping[str, int]) -> dict[str, str | None]:
    return {f"{split}/{i}.png": ("cat", "dog")[i % 2] for split, count in splits.items() for i in range(count)}


@pytest.mark.parametrize("table", ["metadata.csv", "metadata.jsonl"])
def test_labels_without_class_folders(tmp_path: Path, table: str) -> None:
    images = of_splits({"images": 20})
    source = sources.locate(str(folder(tmp_path / "pets", images, {table: list(images)})), "")
    assert source.format == "metadata"
    outcome = datasets.run(source, tmp_path / "out")
    assert {example[f.SOURCE].decode(): example[f.CLASS_NAME].decode() for example in outcome.all} == images
    assert outcome.counts["notes"] == [f"{table}: images by the column 'file_name', their classes by 'label'"]
    assert (outcome.counts["ignored"], outcome.rejected) == (0, [])


@pytest.mark.parametrize("tables", [["metadata.csv"], ["train/metadata.csv", "test/metadata.jsonl"]])
def test_the_splits_are_those_of_the_folders(tmp_path: Path, tables: list[str]) -> None:
    images = of_splits({"train": 18, "test": 6})
    by_table = {name: [image for image in images if image.startswith(name.rpartition("/")[0])] for name in tables}
    outcome = datasets.run(folder(tmp_path / "pets", images, by_table), tmp_path / "out")
    assert {split: len(examples) for split, examples in outcome.splits.items()} == {
        "train": 16, "validation": 2, "test": 6,
    }  # fmt: skip
    assert {example[f.SOURCE].decode() for example in outcome.splits["test"]} == {f"test/{i}.png" for i in range(6)}


def test_the_table_overrides_class_folders(tmp_path: Path) -> None:
    images: dict[str, str | None] = {f"{name}/{i}.png": f"{name}s" for name in ("cat", "dog") for i in range(6)}
    outcome = datasets.run(folder(tmp_path / "pets", images, {"metadata.csv": list(images)}), tmp_path / "out")
    assert outcome.counts["class_names"] == ["cats", "dogs"]


def test_captions_leave_the_classes_to_the_folders(tmp_path: Path) -> None:
    root = datasets.folder(tmp_path / "pets", datasets.images_of({"cat": 5, "dog": 5}))
    (root / "metadata.csv").write_text("file_name,text\ncat/0.png,a cat\n")
    outcome = datasets.run(root, tmp_path / "out")
    assert outcome.counts["class_names"] == ["cat", "dog"]
    assert len(outcome.all) == 10
    note = "metadata.csv: no column for the label in it, so the folders tell the classes"
    assert note in outcome.counts["notes"]


def test_what_one_side_lacks_is_rejected(tmp_path: Path) -> None:
    images = of_splits({"train": 12}) | {"test/a.png": None}
    root = folder(tmp_path / "pets", images, {"train/metadata.csv": [*list(images)[:11], "train/gone.png", "../x.png"]})
    (root / "train" / "notes.dat").write_text("hello")
    outcome = datasets.run(root, tmp_path / "out")
    assert Counter(outcome.reasons().values()) == {
        "no such image in the folder": 2, "no row in train/metadata.csv": 3,
    }  # fmt: skip
    assert {"train/gone.png", "train/11.png", "test/a.png", "train/notes.dat"} < set(outcome.reasons())
    assert len(outcome.all) == 11


def test_mistakes_get_one_clear_line(tmp_path: Path) -> None:
    root = datasets.folder(
        tmp_path / "a", {"1.png": png(datasets.pixels_of(1)), "metadata.csv": b"file_name,text\n1.png,x\n"}
    )
    with pytest.raises(UserError, match="images but no class folders"):
        datasets.run(root, tmp_path / "1" / "out")
    (root / "metadata.csv").write_text("file_name,label\n2.png,cat\n")
    with pytest.raises(UserError, match=r"2 images can be used \(1 × no row in metadata\.csv; 1 × no such image in"):
        datasets.run(root, tmp_path / "2" / "out")
    (root / "metadata.csv").write_text("file_name,label\n1.png,cat,brown\n")
    with pytest.raises(UserError, match=r"metadata\.csv: line 2 has 3 fields"):
        datasets.run(root, tmp_path / "3" / "out")
