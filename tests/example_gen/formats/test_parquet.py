"""Parquet as Hugging Face and pandas write it: columns, splits, class names, rejects, and each mistake's line."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from components.contracts import features as f
from components.errors import UserError
from components.example_gen import sources
from components.example_gen.formats import base, parquet
from components.example_gen.formats.base import USUAL, Features, Record
from components.example_gen.formats.detect import inventory
from components.example_gen.layout import SplitAndClass
from components.example_gen.rejected import Rejected
from tests.datasets import png
from tests.example_gen import datasets

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def images(count: int, start: int = 0) -> list[bytes]:
    return [png(datasets.pixels_of(start + i)) for i in range(count)]


def structs(raw: list[bytes]) -> list[dict[str, Any]]:
    """Return images as Hugging Face's column holds them."""
    return [{"bytes": content, "path": f"{i}.png"} for i, content in enumerate(raw)]


def records(path: Path, features: Features = USUAL) -> list[Record]:
    """Return every row, in the order of the units."""
    result = []
    for unit in inventory("parquet", str(path), features).units:
        for record in unit.read(10**6):
            assert isinstance(record, Record)
            result.append(record)
    return result


def rows(path: Path, features: Features = USUAL) -> list[tuple[object, object]]:
    """Return (class, bytes or the reason for none) of every row."""
    result: list[tuple[object, object]] = []
    for record in records(path, features):
        assert isinstance(record.group, SplitAndClass)
        content = record.content
        result.append((record.group.class_name, content.reason if isinstance(content, Rejected) else content))
    return result


@pytest.mark.parametrize("column", ["image", "img", "jpg"])
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), STRUCT])
def test_columns_of_images(tmp_path: Path, column: str, kind: Any) -> None:
    raw = images(3)
    values = structs(raw) if kind == STRUCT else raw
    path = datasets.parquet(
        tmp_path / "a.parquet", {"id": [1, 2, 3], column: pa.array(values, kind), "label": [5, 0, 5]}
    )
    assert rows(path) == [(5, raw[0]), (0, raw[1]), (5, raw[2])]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pa.array([3, 0], pa.int64()), [3, 0]),
        (pa.array([3, 0], pa.uint8()), [3, 0]),
        (["cat", "d\u00f6g"], ["cat", "d\u00f6g"]),
        (pa.array(["cat", "dog"], pa.large_string()), ["cat", "dog"]),
        (pa.array(["cat", "dog"]).dictionary_encode(), ["cat", "dog"]),
        (pa.array([b"caf\xe9", b"dog"]), ["caf\\xe9", "dog"]),
    ],
)
def test_columns_of_labels(tmp_path: Path, labels: Any, classes: list[object]) -> None:
    path = datasets.parquet(tmp_path / "a.parquet", {"image": images(2), "label": labels})
    assert [class_name for class_name, _ in rows(path)] == classes


def test_named_columns(tmp_path: Path) -> None:
    columns = {"thumb": images(2), "breed": ["cat", "dog"], "image": ["not", "these"], "label": [1.0, 2.0]}
    path = datasets.parquet(tmp_path / "a.parquet", columns)
    assert [class_name for class_name, _ in rows(path, Features("thumb", "breed"))] == ["cat", "dog"]


def test_names_of_classes_are_those_that_the_file_gives(tmp_path: Path) -> None:
    path = datasets.parquet(tmp_path / "a.parquet", {"image": images(4), "label": [1, 0, 2, -1]}, ["cat", "dog"])
    assert [class_name for class_name, _ in rows(path)] == ["dog", "cat", "", ""]
    assert [reason for _, reason in rows(path)][2:] == [
        "no label: 2, and the file names 2 classes, from 0 on",
        "no label: -1, which stands for unlabelled",
    ]
    twice = datasets.parquet(tmp_path / "b.parquet", {"image": images(2), "label": [1, 0]}, ["cat", "cat"])
    assert [class_name for class_name, _ in rows(twice)] == [1, 0]


def test_rows_without_an_image_or_a_label_are_rejected_each_with_its_reason(tmp_path: Path) -> None:
    good = images(8)
    cells = [None, {"bytes": None, "path": "1.png"}, {"bytes": b"", "path": None}, {"bytes": b"x", "path": None}]
    path = datasets.parquet(
        tmp_path / "a.parquet",
        {"image": pa.array([*cells, *structs(good)], STRUCT), "label": ["cat"] * 4 + ["cat", "dog"] * 3 + [None, ""]},
    )
    outcome = datasets.run(path, tmp_path / "out")
    assert outcome.reasons() == {
        "a.parquet:0": "no image: null",
        "a.parquet:1": "no image: only a path, and no bytes in the file",
        "a.parquet:2": "empty file",
        "a.parquet:3": "not an image but text",
        "a.parquet:10": "no label: null",
        "a.parquet:11": "no label: an empty text",
    }
    assert len(outcome.all) == 6
    assert outcome.rejected[0]["class_name"] == "cat"


def test_a_run_reads_a_folder_of_it_as_any_other_source(tmp_path: Path) -> None:
    """As `datasets` writes them: shards whose names tell the split, and labels whose names the file tells."""
    (tmp_path / "pets" / "data").mkdir(parents=True)
    (tmp_path / "pets" / "README.md").write_text("pets")
    raw = images(40)
    for name, start, stop in (("train-00000-of-00002", 0, 16), ("train-00001-of-00002", 16, 30), ("test", 30, 40)):
        columns = {"image": structs(raw[start:stop]), "label": [i % 2 for i in range(start, stop)]}
        path = tmp_path / "pets" / "data" / f"{name}.parquet"
        datasets.parquet(path, columns, ["cat", "dog"], row_group_size=4)
    source = sources.locate(str(tmp_path / "pets"), "")
    assert (source.format, source.name) == ("parquet", "pets")
    outcome = datasets.run(source, tmp_path / "out")
    assert {split: sum(counts.values()) for split, counts in outcome.counts["splits"].items()} == {
        "train": 26, "validation": 4, "test": 10,
    }  # fmt: skip
    assert {example[f.CLASS_NAME] for example in outcome.all} == {b"cat", b"dog"}
    assert sorted(example[f.IMAGE] for example in outcome.all) == sorted(raw)
    assert outcome.counts["notes"] == ["ignored 1 file that is not an image (README.md)"]
    pattern = datasets.run(tmp_path / "pets" / "data" / "*.parquet", tmp_path / "b" / "out")
    assert datasets.without_source(pattern.all) == datasets.without_source(outcome.all)


def test_row_groups_are_dealt_to_units_and_each_row_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = images(60)
    (tmp_path / "pets").mkdir()
    for shard in range(2):
        columns = {"image": raw[shard * 30 : shard * 30 + 30], "label": [i // 15 for i in range(30)]}
        datasets.parquet(tmp_path / "pets" / f"{shard}.parquet", columns, row_group_size=5)
    monkeypatch.setattr(parquet, "_BYTES_IN_UNIT", 2000)
    monkeypatch.setattr(base, "_BYTES_IN_PART", 500)
    units = inventory("parquet", str(tmp_path / "pets")).units
    assert len(units) > 3
    assert all(unit.parts > 1 for unit in units)
    contents = {record.source: record.content for record in records(tmp_path / "pets")}
    assert contents == {f"{shard}.parquet:{row}": raw[shard * 30 + row] for shard in range(2) for row in range(30)}


def test_missing_shards_and_empty_files_are_noted(tmp_path: Path) -> None:
    empty = {"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}
    datasets.parquet(tmp_path / "a-00000-of-00003.parquet", {"image": images(2), "label": [0, 1]})
    datasets.parquet(tmp_path / "a-00002-of-00003.parquet", empty)
    assert inventory("parquet", str(tmp_path)).notes == [
        "1 of 2 Parquet files hold no rows (a-00002-of-00003.parquet)",
        "1 of 3 shards are missing (a-00001-of-00003.parquet)",
    ]


def mistake(path: Path, name: str) -> None:
    """Write a file with a mistake."""
    two = images(2)
    if name == "no image":
        datasets.parquet(path, {"id": [1, 2], "text": ["a", "b"], "label": [0, 1]})
    elif name == "numbers":
        datasets.parquet(path, {"image": [[1, 2], [3, 4]], "label": [0, 1]})
    elif name == "paths":
        datasets.parquet(path, {"image": [{"path": "a.png"}, {"path": "b.png"}], "label": [0, 1]})
    elif name == "no label":
        datasets.parquet(path, {"image": two, "breed": [0, 1]})
    elif name == "real labels":
        datasets.parquet(path, {"image": two, "label": [0.5, 1]})
    elif name == "twice":
        table = pa.Table.from_arrays([pa.array(two), pa.array(two), pa.array([0, 1])], ["image", "image", "label"])
        pyarrow.parquet.write_table(table, path)
    elif name == "no rows":
        datasets.parquet(path, {"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())})
    elif name == "all null":
        datasets.parquet(path, {"image": pa.array([None, None], pa.binary()), "label": [0, 1]})
    elif name == "no pixels":
        datasets.parquet(path, {"image": [b"P5 0 0 255\n", b"P5 0 0 255\n"], "label": [0, 1]})
    elif name == "text":
        path.write_text("hello")
    elif name == "only its beginning":
        path.write_bytes(b"PAR1" + os.urandom(100))
    elif name == "encrypted":
        path.write_bytes(b"PARE" + bytes(50) + b"PARE")
    elif name == "no footer":
        path.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    else:
        datasets.parquet(path, {"image": two, "label": [0, 1]}, compression="gzip")
        raw = bytearray(path.read_bytes())
        raw[40:300] = bytes(260)
        path.write_bytes(raw)


MISTAKES = {
    "no image": r"no column any of image, img, .* for the image; it has id \(int64\), text \(string\), label .*"
    r"Name it by data\.features\.image",
    "numbers": r"the column 'image' is of type list<.*>, and images are encoded bytes, or .*data\.features\.image",
    "paths": "the column 'image' is of type struct<path: string>, and images are encoded bytes",
    "no label": r"no column any of .* for the label; it has .*breed \(int64\)\. Name it by data\.features\.label",
    "real labels": r"the column 'label' is of type double, and labels are text or whole numbers\. Name another by",
    "twice": "2 columns are called 'image'",
    "no rows": "no rows in it",
    "all null": r"none of its 2 images can be used \(2 × no image: null\)",
    "no pixels": r"none of its 2 images can be used \(2 × ",
    "text": r"damaged, or not Parquet \(the mark at its beginning is missing\)",
    "only its beginning": r"damaged, or not Parquet \(the mark at its end is missing\)",
    "encrypted": "encrypted Parquet, which is not read here",
    "no footer": "damaged, or not Parquet",
    "damaged data": "damaged, or not Parquet",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_get_one_clear_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "pets.parquet"
    mistake(path, name)
    with pytest.raises(UserError, match=rf"pets\.parquet: {MISTAKES[name]}") as caught:
        datasets.run(path, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_every_cut_is_named_before_the_run(tmp_path: Path) -> None:
    raw = datasets.parquet(tmp_path / "whole", {"image": images(4), "label": [0, 1, 0, 1]}).read_bytes()
    path = tmp_path / "a.parquet"
    for cut in (*range(1, len(raw), 29), len(raw) - 1):
        path.write_bytes(raw[:cut])
        with pytest.raises(UserError, match=r"a\.parquet: damaged, or not Parquet") as caught:
            sources.locate(str(path), "")
        assert "\n" not in str(caught.value)


def test_a_pickle_in_the_schema_is_not_loaded(tmp_path: Path) -> None:
    """Arrow before 14.0.1 loads it: CVE-2023-47248."""

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "hacked"),)

    metadata = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Hostile()),
    }
    schema = pa.schema([pa.field("image", pa.binary(), metadata=metadata), pa.field("label", pa.int64())])
    path = tmp_path / "a.parquet"
    with pa.BufferOutputStream() as stream:
        writer = pyarrow.parquet.ParquetWriter(stream, schema)
        writer.write_table(pa.Table.from_arrays([pa.array(images(2)), pa.array([0, 1])], schema=schema))
        writer.close()
        path.write_bytes(stream.getvalue())
    with pytest.raises(UserError, match=r"damaged, or not Parquet \(Disallowed deserialization"):
        records(path)
    assert not (tmp_path / "hacked").exists()


def test_what_is_beside_it_is_refused(tmp_path: Path) -> None:
    path = datasets.parquet(tmp_path / "a.parquet", {"image": images(2), "label": [0, 1]})
    datasets.zipped(tmp_path / "b.zip", {"a.parquet": path.read_bytes()})
    with pytest.raises(UserError, match=r"an archive of Parquet files \(a\.parquet\).* Unpack it"):
        inventory("archive", str(tmp_path / "b.zip"))
    (tmp_path / "b.zip").unlink()
    datasets.folder(tmp_path, datasets.images_of({"cat": 3, "dog": 3}))
    with pytest.raises(UserError, match=r"1 Parquet file \(a\.parquet\) and 6 other files .*Move the Parquet files"):
        sources.locate(str(tmp_path), "")
