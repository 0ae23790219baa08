"""TFRecords as others write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.errors import UserError
from components.example_gen import readers, records
from components.example_gen.pictures import Rejected
from tests.example_gen import sets


def read(path: Path) -> list[tuple[str | int, bytes | str]]:
    return [(name, raw.reason if isinstance(raw, Rejected) else raw) for name, raw in records.read(str(path))]


@pytest.mark.parametrize(
    ("values", "class_name"),
    [
        ({"image": b"png", "label": 3}, 3),
        ({"image": b"png", "label": b"cat"}, "cat"),
        ({"image/encoded": b"png", "image/class/label": 3}, 3),
        ({"image/encoded": b"png", "image/class/label": 3, "image/class/text": b"cat"}, "cat"),
        ({"image": b"png", "label": 3, "class_name": b"cat", "more": b"x"}, "cat"),
        ({"image": b"png", "label": b"caf\xe9"}, "caf\\xe9"),
    ],
)
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_usual_names(tmp_path: Path, values: dict[str, Any], class_name: str | int, compression: str) -> None:
    path = sets.tfrecords(tmp_path / "a.tfrecord", [values, values], compression)
    assert read(path) == [(class_name, b"png")] * 2


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"label": 3}, "no encoded picture"),
        ({"image": 5, "label": 3}, "no encoded picture"),
        ({"image": b"png"}, "no label: none of class_name"),
        ({"image": b"png", "label": -1}, "no label: -1"),
    ],
)
def test_what_is_missing(tmp_path: Path, values: dict[str, Any], reason: str) -> None:
    ((_, told),) = read(sets.tfrecords(tmp_path / "a.tfrecord", [values]))
    assert str(told).startswith(reason)


def test_other_records(tmp_path: Path) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(b"\xff\xff\xff not a message")
    assert read(tmp_path / "a.tfrecord") == [("", "not a tf.Example")]


@pytest.mark.parametrize("damage", ["no records", "cut", "altered"])
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_damage(tmp_path: Path, damage: str, compression: str) -> None:
    path = sets.tfrecords(tmp_path / "a.tfrecord", [{"image": bytes(range(256)) * 9, "label": 1}] * 9, compression)
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


def splits_of(folder: Path) -> dict[str, Any]:
    return {unit.name: unit.split for unit in readers.inventory("tfrecords", str(folder)).units}


def test_splits_by_the_files_names(tmp_path: Path) -> None:
    for name in ("pets-train.tfrecord-00000-of-00001", "pets-test.tfrecord-00000-of-00001"):
        sets.tfrecords(tmp_path / name, [{"image": b"x", "label": 1}])
    (tmp_path / "dataset_info.json").write_text("{}")
    assert splits_of(tmp_path) == {
        "pets-test.tfrecord-00000-of-00001": "test",
        "pets-train.tfrecord-00000-of-00001": "train",
    }
    assert splits_of(tmp_path / "*train*") == {"pets-train.tfrecord-00000-of-00001": "train"}
    sets.tfrecords(tmp_path / "more.tfrecord", [{"image": b"x", "label": 1}])
    assert set(splits_of(tmp_path).values()) == {None}
