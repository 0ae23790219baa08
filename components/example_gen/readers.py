"""Turns a source into units of work and reads each: a stream of pictures with where they come from and belong.

A unit is what one worker reads from front to back: some of a folder's files, some members of an archive, a whole
compressed archive, a file of TFRecords. The pictures of a folder, tar or zip are dealt to units in the order of a hash
of their names, so that each unit holds all classes; units that must be read in the archive's order are mixed later.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from components import files
from components.errors import UserError
from components.example_gen import archives, cifar, contents, formats, records, split_names, tars
from components.example_gen.layout import Place
from components.example_gen.members import Member, escape_problem
from components.example_gen.pictures import Rejected
from components.example_gen.records import Features

_FILES_IN_UNIT = 8192
_STREAM_BYTES = 32 << 20  # of a unit that is read in its own order, in one of the parts that are mixed each by itself

T = TypeVar("T")

NOWHERE = Place(None, "")  # of what has no class, and of archive members whose folder is none of the archive's


class Found(NamedTuple):
    """One picture, or what should have been one."""

    source: str  # where it came from, as UTF-8 text
    place: str | Place  # the folder it lies in where only the layout of all folders tells its place
    content: bytes | np.ndarray | Rejected  # an encoded picture, pixels uint8 [H, W, 3], or why there is neither


class Unit(Protocol):
    @property
    def parts(self) -> int:
        """Into how many parts, by content, its pictures are dealt to be mixed."""

    def read(self, max_bytes: int) -> Iterator[Found | cifar.Names]: ...


class Inventory(NamedTuple):
    units: Sequence[Unit]
    folders: Sequence[str] = ()
    ignored: Sequence[str] = ()  # files whose names say that they describe the images
    notes: Sequence[str] = ()  # what the user should know of how the source was understood


def input_files(kind: str, path: str) -> dict[str, str]:
    """Every file that the source consists of: its name within the source and its path, in the order of names."""
    if kind == "folder":
        return {name: os.path.join(path, name) for name in files.walk(path)[0]}
    if kind == "tfrecords" and files.is_folder(path):
        return {name: os.path.join(path, name) for name in files.walk(path)[0]}
    if kind == "tfrecords" and not files.exists(path):
        return {name: match for name, match in files.matches(path).items() if not files.is_description(name)}
    return {os.path.basename(path): path} if files.exists(path) else {}


def inventory(kind: str, path: str, features: Features = records.USUAL) -> Inventory:
    """The units of a source that is there; `features` names those of TFRecords.

    Raises:
      UserError: it is a damaged archive, or what is in it does not fit together.
    """
    if kind == "archive":
        return _archive(path)
    if kind == "cifar10":
        return Inventory([_CifarUnit(path, _parts(path))])
    if kind == "digits":
        return Inventory([_DigitsUnit(path)])
    if not files.is_folder(path):
        return _records(input_files(kind, path), files.text(path), features)
    names, folders = files.walk(path)
    found = contents.sort(names, files.text(path))
    if found.records:
        shards = {name: os.path.join(path, name) for name in found.records}
        return _records(shards, files.text(path), features)._replace(ignored=found.ignored)
    if found.archives:
        return _archives(path, found)
    return Inventory([_FolderUnit(path, part) for part in _dealt(found.images)], folders, found.ignored)


def _records(shards: Mapping[str, str], what: str, features: Features) -> Inventory:
    splits = split_names.of_records(list(shards), what)
    units = [_RecordsUnit(name, path, splits[name], _parts(path), features) for name, path in shards.items()]
    return Inventory(units, notes=[*records.incomplete(shards)])


def _archives(path: str, found: contents.Contents) -> Inventory:
    """The archives of a folder, each as a folder of its own name."""
    units: list[Unit] = []
    folders: list[str] = []
    ignored, notes = list(found.ignored), list[str]()
    for name in found.archives:
        inside = _archive(os.path.join(path, name))
        folder = formats.ENDINGS.sub("", name)
        units += [_WithinUnit(unit, folder) for unit in inside.units]
        folders += [folder, *(f"{folder}/{below}" for below in inside.folders)]
        ignored += [f"{folder}/{below}" for below in inside.ignored]
        notes += inside.notes
    notes.append(f"{files.shown(found.archives)}: each archive is read as a folder of its name")
    return Inventory(units, folders, ignored, notes)


def _archive(path: str) -> Inventory:
    form = formats.form(path)
    if form is None:
        raise formats.refusal(path)
    members, folders = archives.contents(path, form)
    if inside := contents.sort([member.name for member in members], files.text(path)).records:
        raise UserError(
            f"{files.text(path)}: an archive of TFRecords ({files.shown(inside)}), which are not read out of one. "
            "Unpack it, and give the folder."
        )
    images = [member for member in members if not files.is_description(member.name)]
    ignored = [member.name for member in members if files.is_description(member.name)]
    if form == "packed tar":  # no member can be read without those before it
        ordered = sorted(images, key=lambda member: member.offset)
        return Inventory([_MembersUnit(path, form, ordered, _parts(path))], folders, ignored)
    dealt = _dealt(images, lambda member: member.name)
    return Inventory([_MembersUnit(path, form, part) for part in dealt], folders, ignored)


def _dealt(items: Sequence[T], name_of: Callable[[T], str] = str) -> list[list[T]]:
    def key(item: T) -> tuple[bytes, str]:
        name = name_of(item)
        return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), name

    mixed = sorted(items, key=key)
    count = -(-len(mixed) // _FILES_IN_UNIT)
    return [mixed[i::count] for i in range(count)]


def _parts(path: str) -> int:
    return min(256, -(-files.size(path) // _STREAM_BYTES))


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def _member_place(name: str) -> str | Place:
    return NOWHERE if escape_problem(name) else _folder_of(name)


@dataclass(frozen=True)
class _FolderUnit:
    root: str
    names: list[str]
    parts: int = 1

    def read(self, max_bytes: int) -> Iterator[Found]:
        for name in self.names:
            content: bytes | Rejected
            if formats.ENDINGS.search(name):
                yield Found(
                    files.text(name), _folder_of(name), Rejected("an archive: extract it, or give it by itself")
                )
                continue
            try:
                content = files.read_bytes(os.path.join(self.root, name), max_bytes)
            except OSError as error:
                content = Rejected(f"cannot be read ({error.strerror or error})")
            yield Found(files.text(name), _folder_of(name), content)


@dataclass(frozen=True)
class _MembersUnit:
    path: str
    form: formats.Form
    members: list[Member]
    parts: int = 1

    def read(self, max_bytes: int) -> Iterator[Found]:
        for member, content in archives.read_members(self.path, self.form, self.members, max_bytes):
            yield Found(files.text(member.name), _member_place(member.name), content)


@dataclass(frozen=True)
class _CifarUnit:
    path: str
    parts: int

    def read(self, max_bytes: int) -> Iterator[Found | cifar.Names]:
        del max_bytes  # its pictures have one size
        with formats.damage_named(self.path), tars.open_tar(self.path) as tar:
            for row in cifar.rows(tar, files.text(self.path)):
                if isinstance(row, cifar.Names):
                    yield row
                else:
                    yield Found(files.text(row.source), Place(row.split, row.label), row.pixels)


@dataclass(frozen=True)
class _DigitsUnit:
    """scikit-learn's handwritten digits: 8 x 8 values from 0 to 16, enlarged four times.

    E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository.
    """

    path: str
    parts: int = 1

    def read(self, max_bytes: int) -> Iterator[Found]:
        del max_bytes  # its pictures have one size
        with files.open_binary(self.path) as file, gzip.open(file, "rt") as lines:
            table = np.loadtxt(lines, delimiter=",", dtype=np.int64)
        grey = np.clip(table[:, :-1].reshape(-1, 8, 8) * 16, 0, 255).astype(np.uint8)
        pixels = grey.repeat(4, axis=1).repeat(4, axis=2)[..., None].repeat(3, axis=3)
        for row, label in enumerate(table[:, -1]):
            yield Found(f"digits.csv:{row}", Place(None, int(label)), pixels[row])


@dataclass(frozen=True)
class _WithinUnit:
    """A unit of an archive that is read as a folder."""

    unit: Unit
    folder: str

    @property
    def parts(self) -> int:
        return self.unit.parts

    def read(self, max_bytes: int) -> Iterator[Found | cifar.Names]:
        for found in self.unit.read(max_bytes):
            if isinstance(found, Found):
                place = found.place if isinstance(found.place, Place) else f"{self.folder}/{found.place}".rstrip("/")
                yield Found(f"{files.text(self.folder)}/{found.source}", place, found.content)
            else:
                yield found


@dataclass(frozen=True)
class _RecordsUnit:
    name: str
    path: str
    split: str | None
    parts: int
    features: Features

    def read(self, max_bytes: int) -> Iterator[Found]:
        del max_bytes  # the records are in memory before their pictures' sizes are known
        for row, (class_name, content) in enumerate(records.read(self.path, self.features)):
            yield Found(f"{files.text(self.name)}:{row}", Place(self.split, class_name), content)
