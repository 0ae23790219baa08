"""A sample of every kind of source tells how many images there are, and how large they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.errors import UserError
from components.example_gen import sample, sources
from components.example_gen.formats.base import USUAL
from tests.datasets import png
from tests.example_gen import datasets
from tests.example_gen.factories import orientation, saved

COUNT = 40
CONTENT: dict[str, bytes | None] = {
    f"{name}/{i}.png": png(np.full((50 + i, 30 + i, 3), i, np.uint8)) for name in ("a", "b") for i in range(COUNT)
}


def take(path: Path | str) -> sample.Sample:
    source = sources.locate(str(path), "")
    at = sources.path_now(source)
    assert at is not None
    return sample.take(source.format, at, USUAL, 10**6)


def test_a_folder_and_archives_are_sampled_alike(tmp_path: Path) -> None:
    looked = take(datasets.folder(tmp_path / "folder", CONTENT))
    assert (looked.images, looked.read, len(looked.sides)) == (2 * COUNT, sample.LARGEST, sample.LARGEST)
    assert min(looked.sides) < 40 < 60 < max(looked.sides), "from all over the folder"
    for path in (datasets.tar(tmp_path / "a.tar", CONTENT), datasets.zipped(tmp_path / "a.zip", CONTENT)):
        assert take(path) == looked


def test_a_compressed_tar_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = datasets.tar(tmp_path / "a.tar.gz", {"a/about.txt": b"x", **CONTENT}, "w:gz")
    expected = sample.Sample(None, sample.LARGEST, list(range(30, 62)))
    assert take(path) == expected
    several = tmp_path / "several"
    several.mkdir()
    os.link(path, several / "b.tar.gz")
    os.link(path, several / "c.tar.gz")
    assert take(several) == expected
    path.write_bytes(path.read_bytes()[:-9])
    assert take(path) == expected


def test_tables_and_parquet(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    root = datasets.folder(tmp_path, CONTENT)
    (root / "labels.csv").write_text("path,label\n" + "".join(f"{name},{name[0]}\n" for name in [*CONTENT, "c.png"]))
    looked = take(root / "labels.csv")
    assert looked.images == 2 * COUNT + 1
    assert looked.read - len(looked.sides) in (0, 1), "a file that is not there"
    table = pyarrow.table({"image": list(CONTENT.values()), "label": [0, 1] * COUNT})
    pyarrow.parquet.write_table(table, root / "a.parquet")
    assert take(root / "a.parquet") == sample.Sample(2 * COUNT, sample.LARGEST, list(range(30, 62)))


def test_tfrecords_and_pixels(tmp_path: Path) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for raw in CONTENT.values():
            example = tf.train.Example()
            example.features.feature["image"].bytes_list.value.append(raw)
            example.features.feature["label"].int64_list.value.append(1)
            writer.write(example.SerializeToString())
    assert take(tmp_path / "a.tfrecord") == sample.Sample(None, sample.LARGEST, list(range(30, 62)))
    rows = datasets.cifar_rows(0, 50)
    cifar = datasets.cifar_binary(tmp_path / "cifar.tar.gz", {"data_batch_1": rows})
    assert take(cifar) == sample.Sample(None, sample.LARGEST, [32] * sample.LARGEST)


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    turned = saved(Image.new("RGB", (90, 70)), "JPEG", exif=orientation(6))
    content = {"a/1.jpg": turned, "a/2.jpg": turned[:-20], "b/3.jpg": b"", "b/4.webp": b"RIFF", "b/5.gif": None}
    looked = take(datasets.folder(tmp_path / "a", content))
    assert looked == sample.Sample(4, 4, [70, 70]), "a header is enough"
    (tmp_path / "a.zip").write_bytes(datasets.zip_bytes(CONTENT)[:-30])
    with pytest.raises(UserError, match="without the directory at its end"):
        take(tmp_path / "a.zip")


def test_what_is_not_here_is_not_looked_at(tmp_path: Path) -> None:
    for source in ("gs://bucket/pets", "https://example.com/pets.zip", "file:///data/pets"):
        assert sources.path_now(sources.locate(source, str(tmp_path))) is None
    (downloaded := Path(sources.locate("https://example.com/pets.zip", str(tmp_path)).path)).parent.mkdir(parents=True)
    downloaded.touch()
    assert sources.path_now(sources.locate("https://example.com/pets.zip", str(tmp_path))) == str(downloaded)
    for span in ("1", "2"):
        datasets.folder(tmp_path / f"span-{span}", CONTENT if span == "2" else {"a/1.png": None})
    assert sources.path_now(sources.locate(f"{tmp_path}/span-{{SPAN}}", "")) == f"{tmp_path}/span-2"
