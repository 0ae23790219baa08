"""Tables that name the files of images and their labels, `--data labels.csv`: CSV, TSV and JSON Lines.

A row is an image: the path of its file, relative to the table's folder, its label, and its split where a column gives
one. The files are part of the source: an edited image is read again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

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


def inventory(
    tables: Sequence[tuple[str, Table, str | None]],
    title: str,
    ignored: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Inventory:
    """List the files that tables name.

    Args:
      tables: (the path, the table, the split that the path's name gives).
      title: of the source, for messages.
      ignored: see Inventory.
      notes: what is known of the source besides.

    Raises:
      UserError: the columns for the split do not fit, or none of the files of a table is there.
    """
    values = [row.split for _, table, _ in tables for row in table.rows if row.split]
    splits = {} if any(split for *_, split in tables) else split_names.of_values(values, title)
    units: list[Unit] = []
    described: list[str] = []
    for path, table, given in tables:
        rows = []
        for row in table.rows:
            split = splits.get(row.split, given)
            problem = row.problem or ("no split" if splits and not split else "")
            group = SplitAndClass(split, row.label) if row.label != "" else NO_CLASS
            rows.append(LabelledFile(row.path, group, problem))
        root = os.path.dirname(path)
        _check_some_exist(root, rows, files.text(path))
        units += labelled_files.units(root, rows)
        described.append(f"{files.text(os.path.basename(path))}: {_described(table.columns, bool(splits))}")
    return Inventory(units, ignored=ignored, notes=[*notes, *described])


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


def referenced(path: str, table: Table) -> dict[str, str]:
    """Return {name: path} of the files that the table at `path` names."""
    root = os.path.dirname(path)
    return {files.text(row.path): labelled_files.resolve(root, row.path) for row in table.rows if row.path}


def _inventory(listing: Listing, features: Features) -> Inventory:
    title = files.text(listing.path)
    splits = split_names.of_files(listing.data, title)
    paths = {name: listing.path_of(name) for name in listing.data}
    return inventory([(path, table_rows.read(path, features), splits[name]) for name, path in paths.items()], title)


def _referenced(listing: Listing, features: Features) -> dict[str, str]:
    result: dict[str, str] = {}
    for path in map(listing.path_of, listing.data):
        result |= referenced(path, table_rows.read(path, features))
    return result


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
