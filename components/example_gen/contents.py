"""What the files of a folder are, by their names: images, TFRecords, archives, or what describes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from components import files
from components.errors import UserError
from components.example_gen import formats
from components.files import shown


class Contents(NamedTuple):
    """The files of a folder; of `images`, `records` and `archives` only one holds any."""

    images: list[str]  # and whatever else no name tells: the reader says what is wrong with it
    records: list[str]
    archives: list[str]  # each of them is read as a folder of its name
    ignored: list[str]


def sort(names: Iterable[str], what: str) -> Contents:
    """Sorts a folder's files; archives beside images go to these, and are rejected by name.

    Raises:
      UserError: there are TFRecords and other files; `what` names the folder.
    """
    records: list[str] = []
    others: list[str] = []
    ignored: list[str] = []
    for name in names:
        (ignored if files.is_description(name) else records if files.is_records(name) else others).append(name)
    if records and others:
        fewer = "TFRecords" if len(records) < len(others) else "other files"
        raise UserError(
            f"{what}: {_count(records, 'TFRecord file')} and {_count(others, 'other file')} in it, and only one "
            f"kind can be read. Move the {fewer} elsewhere, or give what is meant: a folder, or a pattern of TFRecords."
        )
    if others and all(formats.ENDINGS.search(name) for name in others):
        return Contents([], [], others, ignored)
    return Contents(others, records, [], ignored)


def _count(names: list[str], of: str) -> str:
    return f"{len(names):,} {of}{'s' if len(names) != 1 else ''} ({shown(names, 2)})"
