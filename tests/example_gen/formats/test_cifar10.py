"""CIFAR-10's two archives, in the published layout."""

from __future__ import annotations

import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.errors import UserError
from components.example_gen import sources
from components.example_gen.formats.base import ClassNames, Record
from components.example_gen.formats.detect import inventory
from components.example_gen.layout import SplitAndClass
from tests.example_gen import datasets

BATCHES = {
    "data_batch_1": datasets.cifar_rows(1, 300),
    "data_batch_2": datasets.cifar_rows(2, 20),
    "test_batch": datasets.cifar_rows(3, 20),
}


def read(path: Path) -> tuple[list[Record], list[str]]:
    records: list[Record] = []
    names: list[str] = []
    (unit,) = inventory("cifar10", str(path)).units
    for record in unit.read(1):
        if isinstance(record, ClassNames):
            names = record.names
        else:
            assert isinstance(record, Record)
            records.append(record)
    return records, names


@pytest.mark.parametrize("write", [datasets.cifar_python, datasets.cifar_binary])
@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_rows(tmp_path: Path, write: object, mode: str) -> None:
    records, names = read(write(tmp_path / "any.name", BATCHES, mode))
    assert names == datasets.CIFAR_NAMES == sorted(names)
    rows = [(name, row) for name, batch in BATCHES.items() for row in range(len(batch.labels))]
    assert len(records) == len(rows) == 340
    for record, (name, row) in zip(records, rows):
        assert record.group == SplitAndClass("test" if name == "test_batch" else "train", BATCHES[name].labels[row])
        assert record.source.endswith((f"/{name}:{row}", f"/{name}.bin:{row}"))
        planes = BATCHES[name].data[row].reshape(3, 32, 32)
        assert np.array_equal(record.content, np.moveaxis(planes, 0, 2))


@pytest.mark.parametrize("write", [datasets.cifar_python, datasets.cifar_binary])
def test_an_unpacked_archive_gives_the_same_rows(tmp_path: Path, write: Any) -> None:
    packed, names = read(write(tmp_path / "a.tar", BATCHES, "w"))
    with tarfile.open(tmp_path / "a.tar") as archive:
        archive.extractall(tmp_path / "a", filter="data")
    for folder in (tmp_path / "a", next((tmp_path / "a").iterdir())):
        records, their_names = read(folder)
        assert their_names == names
        rows = [{(r.group, np.asarray(r.content).tobytes()) for r in some} for some in (records, packed)]
        assert rows[0] == rows[1]
        assert sources.locate(str(folder), "").name == "cifar10"


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_pickle_protocols(tmp_path: Path, protocol: int) -> None:
    if protocol == 5:  # no published archive has it; its arrays are made by another name
        with pytest.raises(UserError, match="_frombuffer"):
            read(datasets.cifar_python(tmp_path / "a", BATCHES, protocol=5))
    else:
        assert len(read(datasets.cifar_python(tmp_path / "a", BATCHES, protocol=protocol))[0]) == 340


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch hacked",)


def archive(path: Path, **members: object) -> Path:
    content = {f"cifar-10-batches-py/{name}": pickle.dumps(value, 2) for name, value in members.items()}
    return datasets.tar(path, content, "w:gz")


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({b"data": Hostile(), b"labels": []}, "holds (posix|nt).system, which no CIFAR-10 batch needs; it was not run"),
        ({b"data": np.zeros((2, 9), np.uint8), b"labels": [1, 2]}, r"its data is not uint8 \[N, 3072\]"),
        ({b"data": np.zeros((2, 3072), np.float32), b"labels": [1, 2]}, r"its data is not uint8"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, "not one whole-number label for each image"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": ["cat"]}, "not one whole-number label for each image"),
        ([1, 2], "not a dictionary"),
    ],
)
def test_bad_batches_are_named(tmp_path: Path, batch: object, message: str) -> None:
    with pytest.raises(UserError, match=f"a.tgz: cifar-10-batches-py/data_batch_1: {message}") as caught:
        read(archive(tmp_path / "a.tgz", data_batch_1=batch))
    assert "\n" not in str(caught.value)


def test_no_names(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no batches\.meta in it"):
        read(archive(tmp_path / "a.tgz", data_batch_1={b"data": np.zeros((0, 3072), np.uint8), b"labels": []}))


def test_half_a_row(tmp_path: Path) -> None:
    path = datasets.tar(tmp_path / "a.tar", {"cifar-10-batches-bin/test_batch.bin": b"\0" * 3073 * 5 + b"\0"})
    with pytest.raises(UserError, match=r"test_batch\.bin: ends within an image"):
        read(path)


def test_cut_short(tmp_path: Path) -> None:
    path = datasets.cifar_binary(tmp_path / "a.tar.gz", BATCHES)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(UserError, match="the archive is damaged or ends early"):
        read(path)
