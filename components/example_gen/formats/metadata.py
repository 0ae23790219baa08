"""A folder of images with `metadata.csv` or `metadata.jsonl`, whose column `file_name` names them: Hugging Face's.

The labels are those of the table, whatever folders the images lie in; the splits those of the folders, or else of a
column. A table without a column for the label, of captions for example, leaves the classes to the folders.
"""

from __future__ import annotations

import os
import posixpath

from components import files
from components.example_gen import layout
from components.example_gen.formats import folder, table, table_rows
from components.example_gen.formats.base import Features, Format, Inventory, Listing
from components.example_gen.formats.table_rows import Row, Table

_NAMES = ("metadata.csv", "metadata.jsonl")
_FILE_NAME = "file_name"
_HEAD = 1 << 16  # bytes that are looked at


def _tables_in(listing: Listing) -> list[str]:
    return [name for name in listing.names if os.path.basename(name) in _NAMES]


def _is_folder(listing: Listing) -> bool:
    return any(_names_files(listing.path_of(name)) for name in _tables_in(listing))


def _names_files(path: str) -> bool:
    try:
        return _FILE_NAME.encode() in files.read_bytes(path, _HEAD).partition(b"\n")[0]
    except OSError:
        return False


def _inventory(listing: Listing, features: Features) -> Inventory:
    names = _tables_in(listing)
    by_name = features._replace(image=_FILE_NAME)
    if not any(table_rows.has_label(listing.path_of(name), by_name) for name in names):
        inventory = folder.FORMAT.inventory(listing, features)
        note = f"{files.listed(names)}: no column for the label in it, so the folders tell the classes"
        return inventory._replace(notes=[*inventory.notes, note])
    title = files.text(listing.path)
    splits = layout.splits_of({layout.folder_of(name) for name in listing.data}, title)
    by_folder = any(splits.values())
    images = set(listing.data)
    unnamed = set(images)
    tables: list[table.Named] = []
    for name in names:
        read = table_rows.read(listing.path_of(name), by_name)
        rows = []
        for row in read.rows:
            path = posixpath.normpath(posixpath.join(layout.folder_of(name), row.path))
            unnamed.discard(path)
            problem = row.problem or ("" if path in images else "no such image in the folder")
            split = splits.get(layout.folder_of(path)) if by_folder else row.split
            rows.append(row._replace(path=path, split=split or "", problem=problem))
        columns = read.columns._replace(split="") if by_folder else read.columns
        tables.append(table.Named(name, Table(columns, rows)))
    tables[-1].table.rows.extend(Row(path, "", "", f"no row in {files.listed(names)}") for path in sorted(unnamed))
    return table.inventory(listing, tables)


FORMAT = Format("metadata", "", _inventory, is_folder=_is_folder)
