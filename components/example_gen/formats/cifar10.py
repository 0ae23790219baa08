"""CIFAR-10 as published by Alex Krizhevsky, `--data cifar10`: the binary archive and the python one, as streams.

Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images. https://www.cs.toronto.edu/~kriz/cifar.html
Recognised by the names of its members, whatever the archive itself is called.
"""

from __future__ import annotations

import itertools
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

from components import files
from components.contracts.features import TEST, TRAIN
from components.errors import UserError
from components.example_gen import unpickle
from components.example_gen.archives import file_types, tars
from components.example_gen.download import Published
from components.example_gen.formats.base import (
    ClassNames,
    Features,
    Format,
    Inventory,
    Listing,
    Record,
    Source,
    parts_of,
)
from components.example_gen.layout import SplitAndClass

BINARY = Published(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
PYTHON = Published(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)

_PIXELS = 3 * 32 * 32
_ROW = 1 + _PIXELS  # of the binary archive: the label, then the red, green and blue planes
_LOOK_AT = 100  # members of an archive that are looked at to tell what it is
_MAX_MEMBER = 512 << 20  # bytes; a batch of the python archive is 31 million

_BATCH = re.compile(r"(?:^|/)((?:data_batch_\d+|test_batch)(\.bin)?)$")
_META = re.compile(r"(?:^|/)batches\.meta(\.txt)?$")


def _dataset(cache_dir: str) -> Source:
    """Return the cached archive, preferring the binary one; without one, the path where the binary one will be."""
    for published in (BINARY, PYTHON):
        if os.path.exists(os.path.join(cache_dir, published.file_name)):
            return Source("cifar10", "cifar10", cache_dir, published.file_name, published)
    return Source("cifar10", "cifar10", cache_dir, BINARY.file_name, BINARY)


def _is_named(path: str) -> bool:
    return os.path.basename(path) in (BINARY.file_name, PYTHON.file_name)


def _is_file(path: str) -> bool:
    if file_types.archive_type(path) not in ("tar", "packed tar"):
        return False
    with file_types.damage_named(path), tars.open_tar(path) as tar:
        return any(is_member(member.name) for member in itertools.islice(tar, _LOOK_AT))


def is_member(name: str) -> bool:
    """Return whether an archive with a member of this name is CIFAR-10's."""
    return bool(_BATCH.search(name) or _META.search(name))


def _inventory(listing: Listing, features: Features) -> Inventory:
    return Inventory([_Unit(listing.path, parts_of(files.size(listing.path)))])


@dataclass(frozen=True)
class _Unit:
    path: str
    parts: int

    def read(self, max_bytes: int) -> Iterator[Record | ClassNames]:
        del max_bytes  # its images have one size
        with file_types.damage_named(self.path), tars.open_tar(self.path) as tar:
            yield from _records(tar, files.text(self.path))


def _records(tar: tarfile.TarFile, title: str) -> Iterator[Record | ClassNames]:
    """Yield the rows of an open archive in its order, and its class names, wherever they come.

    Raises:
      UserError: the archive is damaged or not as published; the message names `title` and the member.
    """
    named = False
    read_names: set[str] = set()
    for member in tars.infos(tar):
        batch, meta = _BATCH.search(member.name), _META.search(member.name)
        if not member.isfile() or not (batch or meta):
            continue
        where = f"{title}: {member.name}"
        if member.name in read_names:
            raise UserError(f"{where}: twice in the archive. Download the archive again.")
        read_names.add(member.name)
        if member.size > _MAX_MEMBER:
            raise UserError(f"{where}: {member.size:,} bytes, far too large for CIFAR-10. Download the archive again.")
        content = tar.extractfile(member)
        assert content is not None  # it is a file
        if meta:
            named = True
            yield ClassNames(_binary_names(content) if meta[1] else _python_names(content, where))
        elif batch:
            split = TEST if batch[1].startswith("test") else TRAIN
            pairs = _binary_batch(content, where) if batch[2] else _python_batch(content, where)
            for row, (label, planes) in enumerate(pairs):
                pixels = planes.reshape(3, 32, 32).transpose(1, 2, 0)
                yield Record(files.text(f"{member.name}:{row}"), SplitAndClass(split, label), pixels)
    if not named:
        raise UserError(f"{title}: no batches.meta in it, so its classes have no names. Download the archive again.")


def _binary_names(content: IO[bytes]) -> list[str]:
    lines = content.read().decode("utf-8", "backslashreplace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _python_names(content: IO[bytes], where: str) -> list[str]:
    names = _pickle(content, where).get(b"label_names")
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise UserError(f"{where}: no list of class names (label_names) in it. Download the archive again.")
    return [name.decode("utf-8", "backslashreplace") for name in names]


def _binary_batch(content: IO[bytes], where: str) -> Iterator[tuple[int, np.ndarray]]:
    while raw := content.read(_ROW * 256):
        if len(raw) % _ROW:
            raise UserError(f"{where}: ends within an image (rows of {_ROW:,} bytes). Download the archive again.")
        for row in np.frombuffer(raw, np.uint8).reshape(-1, _ROW):
            yield int(row[0]), row[1:]


def _python_batch(content: IO[bytes], where: str) -> Iterator[tuple[int, np.ndarray]]:
    batch = _pickle(content, where)
    data, labels = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != _PIXELS:
        raise UserError(f"{where}: its data is not uint8 [N, {_PIXELS}]. This is not a batch of CIFAR-10.")
    if not isinstance(labels, list) or len(labels) != len(data) or not all(type(label) is int for label in labels):
        raise UserError(f"{where}: not one whole-number label for each image. This is not a batch of CIFAR-10.")
    yield from zip(labels, data)


def _pickle(content: IO[bytes], where: str) -> dict[object, object]:
    try:
        value = unpickle.loads(content.read())
    except unpickle.Refused as refused:
        raise UserError(
            f"{where}: holds {refused}, which no CIFAR-10 batch needs; it was not run. Download the archive again."
        ) from refused
    if not isinstance(value, dict):
        raise UserError(f"{where}: not a dictionary. This is not a batch of CIFAR-10.")
    return {key.encode() if isinstance(key, str) else key: item for key, item in value.items()}


FORMAT = Format(
    "cifar10",
    "the archive of CIFAR-10",
    _inventory,
    is_named=_is_named,
    is_file=_is_file,
    dataset=_dataset,
    published=BINARY,
)
