"""A folder of images whose folders tell the classes and splits (layout.py), or of archives that are read as such."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components import files
from components.errors import UserError
from components.example_gen import layout
from components.example_gen.archives.file_types import ENDINGS
from components.example_gen.formats import archive, cifar10, labelled_files
from components.example_gen.formats.base import ClassNames, Features, Format, Inventory, Listing, Record, Unit
from components.example_gen.formats.labelled_files import LabelledFile
from components.example_gen.layout import SplitAndClass, folder_of


def _check(listing: Listing) -> None:
    """Raise UserError unless the folder's layout gives classes and splits."""
    title, names = files.text(listing.path), listing.data
    archives = _all_archives(names)
    if archives and (whole_archives := [name for name in names if cifar10.FORMAT.is_named(name)]):
        raise UserError(f"{title}: holds CIFAR-10's archive. Give the archive itself: {files.listed(whole_archives)}.")
    if not archives:
        layout.locate_folders({os.path.dirname(name) for name in names}, listing.folders, title, listing.ignored)


def _all_archives(names: Sequence[str]) -> bool:
    return bool(names) and all(ENDINGS.search(name) for name in names)


def _inventory(listing: Listing, features: Features) -> Inventory:
    names = listing.data
    if _all_archives(names):
        return _archives(listing, names, features)
    units = labelled_files.units(listing.root, [LabelledFile(name, folder_of(name)) for name in names])
    return Inventory(units, listing.folders, listing.ignored, images=len(names))


def _preview(listing: Listing, features: Features) -> Inventory:
    if not _all_archives(listing.data):
        return _inventory(listing, features)
    first = Listing.at(listing.path_of(listing.data[0]))
    return (archive.FORMAT.preview or archive.FORMAT.inventory)(first, features)._replace(images=None)


def _archives(listing: Listing, names: Sequence[str], features: Features) -> Inventory:
    """List the archives of a folder, each as a folder of its own name."""
    units: list[Unit] = []
    folders: list[str] = []
    ignored, notes = list(listing.ignored), list[str]()
    for name in names:
        inventory = archive.FORMAT.inventory(Listing.at(listing.path_of(name)), features)
        folder = ENDINGS.sub("", name)
        units += [_UnitOfArchive(unit, folder) for unit in inventory.units]
        folders += [folder, *(f"{folder}/{below}" for below in inventory.folders)]
        ignored += [f"{folder}/{below}" for below in inventory.ignored]
        notes += inventory.notes
    notes.append(f"{files.listed(names)}: each archive is read as a folder of its name")
    return Inventory(units, folders, ignored, notes)


@dataclass(frozen=True)
class _UnitOfArchive:
    """A unit of an archive that is read as a folder."""

    unit: Unit
    folder: str

    @property
    def parts(self) -> int:
        return self.unit.parts

    def read(self, max_bytes: int) -> Iterator[Record | ClassNames]:
        for record in self.unit.read(max_bytes):
            if isinstance(record, Record):
                group = record.group
                if not isinstance(group, SplitAndClass):
                    group = f"{self.folder}/{group}".rstrip("/")
                yield Record(f"{files.text(self.folder)}/{record.source}", group, record.content)
            else:
                yield record


FORMAT = Format("folder", "a folder of images", _inventory, preview=_preview, check=_check)
