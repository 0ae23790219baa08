"""Tables that name the files of images and their labels, `--data labels.csv`: CSV, TSV and JSON Lines.

A row is an image: the path of its file, relative to the table's folder, its label, and its split where a column gives
one. The files are part of the source: an edited image is read again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from components import files
from components.errors import UserError
from components.example_gen import split_names
from components.example_gen.formats import labelled_files, table_rows
from components.example_gen.formats.base import NO_CLASS, Features, Format, Inventory, Listing, Unit
from components.example_gen.formats.labelled_files import LabelledFile
from components.example_gen.formats.table_rows import Columns, Table
from components.example_gen.layout import SplitAndClass
from components.file_names import TABLE_ENDINGS
from components.text import printable


class Named(NamedTuple):
    """A table of a source."""

    name: str
    table: Table  # whose paths are relative to the source's folder
    split: str | None = None  # that its name gives

    @classmethod
    def of(cls, name: str, table: Table, split: str | None = None) -> Named:
        """Return a table whose paths are relative to its own folder."""
        folder = os.path.dirname(name)
        rows = [row._replace(path=labelled_files.resolve(folder, row.path)) if row.path else row for row in table.rows]
        return cls(name, table._replace(rows=rows), split)


def inventory(listing: Listing, tables: Sequence[Named], notes: Sequence[str] = ()) -> Inventory:
    """List the files that tables name.

    Args:
      listing: of the source.
      tables: those in it.
      notes: what is known of the source besides.

    Raises:
      UserError: the columns for the split do not fit, or none of the files of a table is there.
    """
    values = [row.split for named in tables for row in named.table.rows if row.split]
    splits = {} if any(named.split for named in tables) else split_names.of_values(values, files.text(listing.path))
    units: list[Unit] = []
    described: list[str] = []
    for named in tables:
        rows = []
        for row in named.table.rows:
            split = splits.get(row.split, named.split)
            group = SplitAndClass(split, row.label) if row.label != "" else NO_CLASS
            problem = row.problem or ("no split" if splits and not split else "")
            rows.append(LabelledFile(row.path, group, problem))
        _check_some_exist(listing.root, rows, files.text(listing.path_of(named.name)))
        units += labelled_files.units(listing.root, rows)
        described.append(f"{files.text(named.name)}: {_described(named.table.columns, bool(splits))}")
    read = {named.name for named in tables}
    ignored = [name for name in listing.ignored if name not in read]
    images = sum(len(named.table.rows) for named in tables)
    return Inventory(units, ignored=ignored, notes=[*notes, *described], images=images)


def referenced(listing: Listing, named: Named) -> dict[str, str]:
    """Return {name: path} of the files that a table names."""
    paths = (row.path for row in named.table.rows if row.path)
    return {files.text(path): labelled_files.resolve(listing.root, path) for path in paths}


def _described(columns: Columns, splits: bool) -> str:
    image, label, split = (printable(name) for name in columns)
    by_split = f", the splits by {split!r}" if split and splits else f"; {split!r} is not read" if split else ""
    return f"images by the column {image!r}, their classes by {label!r}{by_split}"


def _check_some_exist(root: str, rows: Sequence[LabelledFile], title: str) -> None:
    """Raise UserError if no file of a local table is there, which is a mistake about where paths begin."""
    if files.is_remote(root):
        return
    paths = [labelled_files.resolve(root, row.path) for row in rows if not row.problem]
    if paths and not any(map(os.path.exists, paths)):
        raise UserError(
            f"{title}: none of the {len(paths):,} files that it names is there, as {files.listed(paths[:1])}. "
            "Its paths are relative to its folder."
        )


def _inventory(listing: Listing, features: Features) -> Inventory:
    splits = split_names.of_files(listing.data, files.text(listing.path))
    return inventory(listing, [named._replace(split=splits[named.name]) for named in _tables(listing, features)])


def _referenced(listing: Listing, features: Features) -> dict[str, str]:
    result: dict[str, str] = {}
    for named in _tables(listing, features):
        result |= referenced(listing, named)
    return result


def _tables(listing: Listing, features: Features) -> list[Named]:
    return [Named.of(name, table_rows.read(listing.path_of(name), features)) for name in listing.data]


def _check(listing: Listing) -> None:
    """Raise UserError if a table is not text."""
    for name in listing.data:
        table_rows.text_of(listing.path_of(name))


def _is_named(path: str) -> bool:
    return bool(TABLE_ENDINGS.search(path))


FORMAT = Format(
    "table",
    "a .csv or .jsonl of paths and labels",
    _inventory,
    is_named=_is_named,
    is_file=_is_named,
    file="table",
    several="tables (*.csv)",
    check=_check,
    referenced=_referenced,
)
