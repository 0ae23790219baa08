"""TFRecords as others write them."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest

from components.errors import UserError
from components.example_gen import sources
from components.example_gen.formats import tfrecords
from components.example_gen.formats.base import Features
from components.example_gen.formats.detect import inventory
from components.example_gen.rejected import Rejected
from tests.example_gen import datasets


def read(path: Path) -> list[tuple[str | int, bytes | str]]:
    return [(name, raw.reason if isinstance(raw, Rejected) else raw) for name, raw in tfrecords.read(str(path))]


@pytest.mark.parametrize(
    ("values", "class_name"),
    [
        ({"image": b"png", "label": 3}, 3),
        ({"image": b"png", "label": b"cat"}, "cat"),
        ({"image/encoded": b"png", "image/class/label": 3}, 3),
        ({"image/encoded": b"png", "image/class/label": 3, "image/class/text": b"cat"}, "cat"),
        ({"image": b"png", "label": 3, "class_name": b"cat", "more": b"x"}, "cat"),
        ({"image": b"png", "label": b"caf\xe9"}, "caf\\xe9"),
        ({"image": b"png", "label": 3, "class_name": b""}, 3),
    ],
)
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_usual_names(tmp_path: Path, values: dict[str, Any], class_name: str | int, compression: str) -> None:
    path = datasets.tfrecords(tmp_path / "a.tfrecord", [values, values], compression)
    assert read(path) == [(class_name, b"png")] * 2


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"label": 3}, "no image in any of image, image/encoded, image_raw: the record has label (int64); name it by"),
        ({"image": 5, "label": 3}, "no image in any of"),
        ({"image": b"png"}, "no label, text or a whole number, in any of class_name, image/class/text, label"),
        ({"image": b"png", "label": -1}, "no label: -1"),
    ],
)
def test_what_is_missing(tmp_path: Path, values: dict[str, Any], reason: str) -> None:
    ((_, content),) = read(datasets.tfrecords(tmp_path / "a.tfrecord", [values]))
    assert str(content).startswith(reason)


def test_other_records(tmp_path: Path) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(b"\xff\xff\xff not a message")
    assert read(tmp_path / "a.tfrecord") == [("", "not a tf.Example")]


@pytest.mark.parametrize("damage", ["no records", "cut", "altered"])
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_damage(tmp_path: Path, damage: str, compression: str) -> None:
    path = datasets.tfrecords(tmp_path / "a.tfrecord", [{"image": bytes(range(256)) * 9, "label": 1}] * 9, compression)
    raw = path.read_bytes()
    middle = len(raw) // 2
    path.write_bytes(
        {
            "no records": b"hello, world! " * 9,
            "cut": raw[: middle + 9],
            "altered": raw[:middle] + b"!!" + raw[middle + 2 :],
        }[damage]
    )
    with pytest.raises(UserError, match=r"a\.tfrecord: damaged, or not TFRecords") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert "{{" not in str(caught.value)


def shards(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        datasets.tfrecords(path, [{"image": b"x", "label": 1}])
    return root


def splits_of(path: Path) -> dict[str, Any]:
    return {unit.name: unit.split for unit in inventory("tfrecords", str(path)).units}


@pytest.mark.parametrize(
    "splits",
    [
        {"pets-train.tfrecord-00000-of-00001": "train", "pets-test.tfrecord-00000-of-00001": "test"},
        {"train/data-00000.tfrecord": "train", "test/data-00000.tfrecord": "test"},
        {"train.tfrecord": "train", "eval.tfrecord": "test"},
        {"train.tfrec": "train", "validation.tfrec": "validation"},
        {"Training/a.tfrec.gz": "train", "val/a.tfrec.gz": "validation", "test/a.tfrec.gz": "test"},
        {"Split-train/data-00000-of-00001.gz": "train", "Split-test/data-00000-of-00001.gz": "test"},
        {"my_test_data-train.tfrecord": "train", "my_test_data-validation.tfrecord": "validation"},
        {"test_run/train-0.tfrecord": "train", "test_run/val-0.tfrecord": "validation"},
        {"pets_train/a.tfrecord": "train", "pets_test/a.tfrecord": "test"},
        {"train-a.tfrecord": "train", "train-b.tfrecord": "train"},
        {"a.tfrecord": None, "b.tfrecord": None},
        {"test_run_a.tfrecord": None},
    ],
)
def test_splits_by_the_names_of_folders_and_files(tmp_path: Path, splits: dict[str, Any]) -> None:
    shards(tmp_path, *splits)
    (tmp_path / "dataset_info.json").write_text("{}")
    assert splits_of(tmp_path) == splits
    assert splits_of(tmp_path / "**" / "*.*") == splits


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train.tfrecord", "test.tfrecord", "extra.tfrecord"], r"give a split, and extra\.tfrecord gives none"),
        (["val/a.tfrecord", "test/a.tfrecord"], "all for test and validation .* none is for train"),
        (["test-a.tfrecord", "test-b.tfrecord"], "all for test .* none is for train"),
        (["test/a.tfrecord", "test/b.tfrecord"], "all for test .* none is for train"),
        (["train/test-a.tfrecord", "test/a.tfrecord"], r"train/test-a\.tfrecord gives more than one split"),
    ],
)
def test_a_split_is_never_guessed(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        splits_of(shards(tmp_path / "pets", *names))
    assert str(caught.value).startswith(str(tmp_path / "pets"))
    assert "\n" not in str(caught.value)


def test_files_of_one_name_in_several_folders(tmp_path: Path) -> None:
    shards(tmp_path / "pets [1]", "a/part-0.tfrecord", "b/part-0.tfrecord", "b/c/part-0.tfrecord", "a/part.json")
    two = ["a/part-0.tfrecord", "b/part-0.tfrecord"]
    assert list(splits_of(tmp_path / "pets [1]" / "*" / "part-*")) == two
    assert list(splits_of(tmp_path / "pets [1]" / "[ab]" / "*.tfrecord")) == two
    assert list(splits_of(tmp_path / "pets [1]" / "**" / "part-*.tfrecord")) == [
        *two[:1],
        "b/c/part-0.tfrecord",
        two[1],
    ]
    source = sources.locate(str(tmp_path / "pets [1]" / "*" / "part-*"), "")
    assert (source.format, source.input_base, source.pattern) == ("tfrecords", str(tmp_path / "pets [1]"), "*/part-*")


def test_records_beside_images_are_refused(tmp_path: Path) -> None:
    datasets.folder(shards(tmp_path, "old.tfrecord"), datasets.images_of({"cat": 3, "dog": 3}))
    for look in (lambda: sources.locate(str(tmp_path), ""), lambda: inventory("folder", str(tmp_path))):
        with pytest.raises(UserError, match=r"1 TFRecord file \(old.tfrecord\) and 6 other files .*Move the TFRecords"):
            look()


def test_an_archive_of_records_is_refused(tmp_path: Path) -> None:
    datasets.zipped(tmp_path / "pets.zip", {"a.tfrecord": b"x", "b.tfrecord": b"x"})
    with pytest.raises(UserError, match=r"an archive of TFRecords \(a\.tfrecord, b\.tfrecord\).* Unpack it"):
        inventory("archive", str(tmp_path / "pets.zip"))


def test_missing_shards_and_empty_files_are_told(tmp_path: Path) -> None:
    shards(tmp_path, "{a}train-00000-of-00003", "{a}train-00002-of-00003", "{a}test-00000-of-00001")
    (tmp_path / "{a}train-00002-of-00003").write_bytes(b"")
    assert inventory("tfrecords", str(tmp_path)).notes == [
        "1 of 3 TFRecord files hold nothing at all ({a}train-00002-of-00003)",
        "1 of 3 shards are missing ({a}train-00001-of-00003)",
    ]


def test_named_features_and_pixels_without_an_encoding(tmp_path: Path) -> None:
    pixels, grey = bytes(range(192)), bytes(range(64))
    shape = {"height": 8, "width": 8}
    path = datasets.tfrecords(
        tmp_path / "a.tfrecord",
        [
            {"thumb": b"\xff\xd8", "breed": b"cat", "image": b"x"},
            {"thumb": pixels, "breed": b"dog", **shape, "depth": 3},
            {"thumb": grey, "breed": b"dog", **shape, "depth": 1},
            {"thumb": pixels, "breed": b"dog"},
            {"image": pixels, "label": 1},
        ],
    )
    contents = [content for _, content in tfrecords.read(str(path), Features("thumb", "breed"))]
    assert contents[0] == b"\xff\xd8"
    assert contents[1].tobytes() == pixels
    assert contents[2].shape == (8, 8, 3)
    assert contents[2][..., 1].tobytes() == grey
    assert contents[3].reason.startswith("not an encoded image, perhaps the pixels of 8 x 8 x 3")
    assert contents[4].reason == (
        "no image in the feature thumb: the record has image (bytes), label (int64); name it by data.features.image"
    )


def test_every_cut_of_compressed_records_is_named(tmp_path: Path) -> None:
    """Each record ends with a block of the compression, so that TensorFlow reads a cut there as the end of the file."""
    plain = datasets.tfrecords(
        tmp_path / "plain", [{"image": b"%d" % i * 99, "label": i} for i in range(4)]
    ).read_bytes()
    size, deflate, packed = len(plain) // 4, zlib.compressobj(wbits=31), b""
    ends = []
    for start in range(0, len(plain), size):
        packed += deflate.compress(plain[start : start + size]) + deflate.flush(zlib.Z_FULL_FLUSH)
        ends.append(len(packed))
    packed += deflate.flush()
    path = tmp_path / "a.tfrecord.gz"
    for cut in (*ends, *range(20, len(packed), 7), len(packed) - 1):
        path.write_bytes(packed[:cut])
        with pytest.raises(UserError, match=r"a\.tfrecord\.gz: damaged, or not TFRecords") as caught:
            list(tfrecords.read(str(path)))
        assert "\n" not in str(caught.value)
    path.write_bytes(packed)
    assert len(list(tfrecords.read(str(path)))) == 4
