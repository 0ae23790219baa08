"""Parquet with a column of encoded images and one of labels, as Hugging Face publishes: files, a folder, a pattern.

A unit is some row groups of the files, about 128 MB. The names of files and folders give the splits (split_names.py),
or else a column. A column of images holds bytes, or {bytes, path}, of which the path is not read, or paths of files. A
column of labels holds text or whole numbers; if the file names the classes of its numbers as Hugging Face does, these
names are used.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

from components import files
from components.errors import UserError
from components.example_gen import split_names
from components.example_gen.formats import parquet_columns, table, table_rows
from components.example_gen.formats.base import Features, Format, Inventory, Listing, Record, deal, parts_of
from components.example_gen.formats.parquet_columns import Columns
from components.example_gen.layout import SplitAndClass
from components.example_gen.rejected import Rejected
from components.text import printable

_NAME = re.compile(r"\.(parquet(\.(gz|gzip|snappy|zstd|brotli))?|pq)$", re.IGNORECASE)
_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"  # at both ends of a file
_BYTES_IN_UNIT = 128 << 20
_BATCH, _MANY = 64, 4096  # rows decoded at once, of images and of text
_BUFFER = 8 << 20  # bytes of a column read at once: a row group may be as large as the file
_NO_CLASS = ""  # of a row without a label, which is rejected


class _RowGroup(NamedTuple):
    """A row group of one of the files."""

    name: str  # of the file
    path: str
    split: str | None
    columns: Columns
    number: int
    first_row: int
    size: int  # bytes, about


def _is_named(path: str) -> bool:
    return bool(_NAME.search(path))


def _is_file(path: str) -> bool:
    with files.open_binary(path) as file:
        return file.read(len(_MAGIC)) in (_MAGIC, _ENCRYPTED) or _is_named(path)


def _check(listing: Listing) -> None:
    """Raise UserError if a file lacks its magic bytes at the beginning or the end."""
    for path in map(listing.path_of, listing.data):
        try:
            head = files.read_bytes(path, len(_MAGIC))[: len(_MAGIC)]  # of a regular file: opening a pipe waits
            with files.open_binary(path) as file:
                file.seek(max(0, files.size(path) - len(_MAGIC)))
                tail = file.read()
        except OSError as error:
            raise UserError(f"{files.text(path)}: cannot be read ({files.error_reason(error)}).") from error
        if head == _ENCRYPTED:
            raise UserError(f"{files.text(path)}: encrypted Parquet, which is not read here. Write it unencrypted.")
        if head != _MAGIC or tail != _MAGIC:
            where = "beginning" if head != _MAGIC else "end"
            raise _damaged(path, f"the mark at its {where} is missing")


def _damaged(path: str, reason: object) -> UserError:
    lines = str(reason).splitlines() or [type(reason).__name__]
    return UserError(
        f"{files.text(path)}: damaged, or not Parquet ({printable(lines[0], 200)}). Write or download the file again."
    )


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Open a file as pyarrow.parquet.ParquetFile.

    Raises:
      UserError: it is damaged, then or while it is read.
    """
    import pyarrow.parquet
    import pyarrow_hotfix  # noqa: F401  (else a column's type could be a pickle that Arrow loads: CVE-2023-47248)

    try:
        with files.open_binary(path) as file:
            readable = io.BufferedReader(_RemoteFile(file)) if files.is_remote(path) else file
            yield pyarrow.parquet.ParquetFile(readable, buffer_size=_BUFFER)
    except UserError:
        raise
    except Exception as error:  # Arrow raises many kinds of errors for damaged files
        raise _damaged(path, error) from error


class _RemoteFile(io.RawIOBase):
    """A Python file object for a TensorFlow file, for Arrow."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._file.seek(offset, whence)
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _inventory(listing: Listing, features: Features) -> Inventory:
    names = listing.data
    splits = split_names.of_files(names, files.text(listing.path))
    groups: list[_RowGroup] = []
    tables: list[table.Named] = []  # of the files that hold paths
    empty: list[str] = []
    values: set[str] = set()  # in the columns for the split
    images = 0
    for name in names:
        path = listing.path_of(name)
        with _opened(path) as file:
            columns = parquet_columns.choose(file.schema_arrow, path, features)
            row = 0
            for number in range(file.metadata.num_row_groups):
                group = file.metadata.row_group(number)
                groups.append(_RowGroup(name, path, splits[name], columns, number, row, group.total_byte_size))
                row += group.num_rows
            images += row
            if row and columns.paths:
                tables.append(table.Named.of(name, _table(file, columns), splits[name]))
            elif columns.split and not splits[name]:
                values |= {_text(value) for (value,) in _rows(file, [columns.split], _MANY) if value}
        if not row:
            empty.append(name)
    title = files.text(listing.path)
    if len(empty) == len(names):
        raise UserError(f"{title}: no rows in it. Write the images and their labels into it.")
    notes = [f"{len(empty):,} of {len(names):,} Parquet files hold no rows ({files.listed(empty)})"] if empty else []
    notes += split_names.missing_shards(names)
    if tables:
        if len(tables) + len(empty) < len(names):
            raise UserError(f"{title}: some of its files hold images and others paths of images. Give one kind.")
        return table.inventory(listing, tables, notes)
    by_value = split_names.of_values(values, title)
    count = max(1, sum(group.size for group in groups) // _BYTES_IN_UNIT)
    dealt = deal(groups, lambda group: f"{group.name}:{group.number}", count)
    units = [_Unit(sorted(some), by_value) for some in dealt]
    if by_value:
        notes.append(f"the splits are those of the column {printable(groups[0].columns.split)!r}")
    return Inventory(units, ignored=listing.ignored, notes=notes, images=images)


def _rows(file: Any, names: list[str], batch: int, groups: list[int] | None = None) -> Iterator[tuple[Any, ...]]:
    """Yield the values of these columns of an open file, row by row, text as bytes; of all row groups if not given."""
    for some in file.iter_batches(batch, groups, names, use_threads=False):
        columns = (some.column(some.schema.get_field_index(name)) for name in names)
        yield from zip(*(_as_bytes(column).to_pylist() for column in columns))


def _table(file: Any, columns: Columns) -> table_rows.Table:
    """Return the rows of a file that holds paths."""
    rows = []
    for path, label, *split in _rows(file, [name for name in columns[:3] if name], _MANY):
        class_name, content = _class_and_image(label, path or None, columns.class_names)
        problem = content.reason if isinstance(content, Rejected) else ""
        rows.append(table_rows.Row(os.fsdecode(path or b""), class_name, _text(split[0]) if split else "", problem))
    return table_rows.Table(table_rows.Columns(columns.image, columns.label, columns.split), rows)


def _text(value: bytes | None) -> str:
    return files.text(value or b"")


def _referenced(listing: Listing, features: Features) -> dict[str, str]:
    result: dict[str, str] = {}
    for name in listing.data:
        path = listing.path_of(name)
        with _opened(path) as file:
            columns = parquet_columns.choose(file.schema_arrow, path, features)
            if columns.paths:
                result |= table.referenced(listing, table.Named.of(name, _table(file, columns)))
    return result


@dataclass(frozen=True)
class _Unit:
    groups: list[_RowGroup]
    splits: dict[str, str]  # by the values of a column; empty where the files' names give them, or nothing does

    @property
    def parts(self) -> int:
        return max(1, parts_of(sum(group.size for group in self.groups)))

    def read(self, max_bytes: int) -> Iterator[Record]:
        del max_bytes  # the rows are in memory before their images' sizes are known
        for group in self.groups:
            columns = group.columns
            names = [columns.image, columns.label, *([columns.split] if self.splits and columns.split else [])]
            with _opened(group.path) as file:
                rows = _rows(file, names, _BATCH, [group.number])
                for number, (image, label, *value) in enumerate(rows, group.first_row):
                    class_name, content = _class_and_image(label, image, columns.class_names)
                    split = self.splits.get(_text(value[0])) if value else group.split
                    if self.splits and not split:
                        content = Rejected("no split")
                    yield Record(f"{files.text(group.name)}:{number}", SplitAndClass(split, class_name), content)


def _as_bytes(labels: Any) -> Any:
    """Return labels that are text as bytes, because they may not be UTF-8; others unchanged."""
    import pyarrow

    if pyarrow.types.is_dictionary(labels.type):
        labels = labels.dictionary_decode()
    text = pyarrow.types.is_string(labels.type) or pyarrow.types.is_large_string(labels.type)
    return labels.cast(pyarrow.large_binary()) if text else labels


def _class_and_image(label: Any, image: Any, names: tuple[str, ...]) -> tuple[str | int, bytes | Rejected]:
    content = image["bytes"] if isinstance(image, dict) else image
    if content is None:
        only = isinstance(image, dict) and image.get("path")
        content = Rejected("no image: only a path, and no bytes in the file" if only else "no image: null")
    if label is None:
        return _NO_CLASS, Rejected("no label: null")
    if isinstance(label, bytes):
        return (files.text(label), content) if label else (_NO_CLASS, Rejected("no label: an empty text"))
    if label < 0:
        return _NO_CLASS, Rejected(f"no label: {label}, which stands for unlabelled")
    if not names:
        return label, content
    if label >= len(names):
        return _NO_CLASS, Rejected(f"no label: {label}, and the file names {len(names)} classes, from 0 on")
    return names[label], content


FORMAT = Format(
    "parquet",
    "Parquet files (*.parquet)",
    _inventory,
    is_named=_is_named,
    is_file=_is_file,
    file="Parquet file",
    several="Parquet files",
    check=_check,
    referenced=_referenced,
)
