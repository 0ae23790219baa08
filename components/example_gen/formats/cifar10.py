"""CIFAR-10 as published by Alex Krizhevsky, `--data cifar10`: the binary archive, the python one, or either unpacked.

Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images. https://www.cs.toronto.edu/~kriz/cifar.html
Recognised by the names of its members, whatever the archive or folder itself is called. What Keras downloaded is found.
"""

from __future__ import annotations

import itertools
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO

import numpy as np

from components import files, unpickle
from components.contracts.features import TEST, TRAIN
from components.download import Published
from components.errors import UserError
from components.example_gen.archives import file_types, tars
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
    unpacked=(
        ("batches.meta", "5ff9c542aee3614f3951f8cda6e48888"),
        ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
        ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
        ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
        ("data_batch_4", "634d18415352ddfa80567beed471001a"),
        ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
        ("test_batch", "40351d587109b95175f43aff81a1287e"),
    ),
)
# Where Keras keeps the python archive, and what it makes of it, below its home: of Keras 3, and of those before.
_OF_KERAS = (
    "cifar-10-batches-py-target_archive",
    "cifar-10-batches-py.tar.gz",
    "cifar-10-batches-py-target/cifar-10-batches-py",
    "cifar-10-batches-py",
)

_PIXELS = 3 * 32 * 32
_ROW = 1 + _PIXELS  # of the binary archive: the label, then the red, green and blue planes
_LOOK_AT = 100  # members of an archive that are looked at to tell what it is
_MAX_MEMBER = 512 << 20  # bytes; a batch of the python archive is 31 million

_BATCH = re.compile(r"(?:^|/)((?:data_batch_\d+|test_batch)(\.bin)?)$")
_META = re.compile(r"(?:^|/)batches\.meta(\.txt)?$")


def _dataset(cache_dir: str) -> Source:
    """Return the cached archive, the binary one first; else Keras' copy; else where the binary one will be."""
    for published in (BINARY, PYTHON):
        if os.path.exists(os.path.join(cache_dir, published.file_name)):
            return Source("cifar10", "cifar10", cache_dir, published.file_name, published)
    of_keras = os.path.join(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"), "datasets")
    for name in _OF_KERAS:
        path = os.path.join(of_keras, name)
        if os.path.exists(path):
            note = f"CIFAR-10 was downloaded by Keras before, and is read from {files.text(path)}"
            return Source("cifar10", "cifar10", *os.path.split(path), PYTHON, note)
    return Source("cifar10", "cifar10", cache_dir, BINARY.file_name, BINARY)


def _is_named(path: str) -> bool:
    return os.path.basename(path) in (BINARY.file_name, PYTHON.file_name)


def _is_file(path: str) -> bool:
    if file_types.archive_type(path) not in ("tar", "packed tar"):
        return False
    with file_types.damage_named(path), tars.open_tar(path) as tar:
        return any(is_member(member.name) for member in itertools.islice(tar, _LOOK_AT))


def _is_folder(listing: Listing) -> bool:
    return any(is_member(name) for name in listing.names)


def is_member(name: str) -> bool:
    """Return whether an archive or folder with a member of this name is CIFAR-10's."""
    return bool(_BATCH.search(name) or _META.search(name))


def _inventory(listing: Listing, features: Features) -> Inventory:
    return Inventory([_Unit(listing.path, parts_of(files.bytes_below(listing.path)))])


@dataclass(frozen=True)
class _Unit:
    path: str
    parts: int

    def read(self, max_bytes: int) -> Iterator[Record | ClassNames]:
        del max_bytes  # its images have one size
        title = files.text(self.path)
        if files.is_folder(self.path):
            yield from _records(_in_folder(self.path), title)
            return
        with file_types.damage_named(self.path), tars.open_tar(self.path) as tar:
            yield from _records(_in_tar(tar), title)


_Member = tuple[str, int, Callable[[], IO[bytes]]]  # name, bytes, how it is opened


def _in_tar(tar: tarfile.TarFile) -> Iterator[_Member]:
    for member in tars.infos(tar):
        if member.isfile():
            yield member.name, member.size, partial(_extracted, tar, member)


def _extracted(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    assert content is not None  # it is a file
    return content


def _in_folder(folder: str) -> Iterator[_Member]:
    for name in files.walk(folder)[0]:
        path = os.path.join(folder, name)
        yield name, files.size(path), partial(files.open_binary, path)


def _records(members: Iterable[_Member], title: str) -> Iterator[Record | ClassNames]:
    """Yield the rows of the batches in their order, and the class names, wherever they come.

    Raises:
      UserError: the archive is damaged or not as published; the message names `title` and the member.
    """
    named = False
    read_names: set[str] = set()
    for name, size, opened in members:
        batch, meta = _BATCH.search(name), _META.search(name)
        if not (batch or meta):
            continue
        where = f"{title}: {files.text(name)}"
        if name in read_names:
            raise UserError(f"{where}: twice in the archive. Download the archive again.")
        read_names.add(name)
        if size > _MAX_MEMBER:
            raise UserError(f"{where}: {size:,} bytes, far too large for CIFAR-10. Download the archive again.")
        with opened() as content:
            if meta:
                named = True
                yield ClassNames(_binary_names(content) if meta[1] else _python_names(content, where))
            elif batch:
                split = TEST if batch[1].startswith("test") else TRAIN
                pairs = _binary_batch(content, where) if batch[2] else _python_batch(content, where)
                for row, (label, planes) in enumerate(pairs):
                    pixels = planes.reshape(3, 32, 32).transpose(1, 2, 0)
                    yield Record(files.text(f"{name}:{row}"), SplitAndClass(split, label), pixels)
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
    is_folder=_is_folder,
    dataset=_dataset,
    published=BINARY,
)
