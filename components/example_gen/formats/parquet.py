"""Parquet with a column of encoded images and one of labels, as Hugging Face publishes: files, a folder, a pattern.

A unit is some row groups of the files, about 128 MB. The names of files and folders give the splits (split_names.py). A
column of images holds bytes, or {bytes, path}, of which the path is not read. A column of labels holds text or whole
numbers; if the file names the classes of its numbers as Hugging Face does, these names are used.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

from components import files
from components.errors import UserError
from components.example_gen import split_names
from components.example_gen.formats.base import Features, Format, Inventory, Listing, Record, deal, parts_of
from components.example_gen.layout import SplitAndClass
from components.example_gen.rejected import Rejected
from components.text import printable

# The names that are usual, tried in this order.
IMAGE_NAMES = ("image", "img", "image_bytes", "jpg", "png")
LABEL_NAMES = ("class_name", "label", "labels", "class")

_NAME = re.compile(r"\.(parquet(\.(gz|gzip|snappy|zstd|brotli))?|pq)$", re.IGNORECASE)
_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"  # at both ends of a file
_BYTES_IN_UNIT = 128 << 20
_BATCH = 64  # rows decoded at once
_BUFFER = 8 << 20  # bytes of a column read at once: a row group may be as large as the file
_NO_CLASS = ""  # of a row without a label, which is rejected


class _Columns(NamedTuple):
    """The columns of a file that are read."""

    image: str
    label: str
    class_names: tuple[str, ...]  # by label; empty where the file names none


class _RowGroup(NamedTuple):
    """A row group of one of the files."""

    name: str  # of the file
    path: str
    split: str | None
    columns: _Columns
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
    empty: list[str] = []
    for name in names:
        path = listing.path_of(name)
        with _opened(path) as file:
            columns = _columns(file.schema_arrow, path, features)
            row = 0
            for number in range(file.metadata.num_row_groups):
                group = file.metadata.row_group(number)
                groups.append(_RowGroup(name, path, splits[name], columns, number, row, group.total_byte_size))
                row += group.num_rows
        if not row:
            empty.append(name)
    if len(empty) == len(names):
        raise UserError(f"{files.text(listing.path)}: no rows in it. Write the images and their labels into it.")
    count = max(1, sum(group.size for group in groups) // _BYTES_IN_UNIT)
    units = [_Unit(sorted(some)) for some in deal(groups, lambda group: f"{group.name}:{group.number}", count)]
    notes = [f"{len(empty):,} of {len(names):,} Parquet files hold no rows ({files.listed(empty)})"] if empty else []
    notes += split_names.missing_shards(names)
    return Inventory(units, ignored=listing.ignored, notes=notes)


def _columns(schema: Any, path: str, features: Features) -> _Columns:
    """Choose the columns to read.

    Args:
      schema: of the file, a pyarrow.Schema.
      path: of the file.
      features: the user's names.

    Raises:
      UserError: there is no such column, or its type is none that is read.
    """
    import pyarrow.types as types

    title = files.text(path)
    image = _chosen(schema, title, "image", features.image, IMAGE_NAMES)
    kind = schema.field(image).type
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field(kind.get_field_index("bytes")).type
    if not _is_bytes(kind):
        raise _wrong_type(title, schema.field(image), "images are encoded bytes, or {bytes, path}", "image")
    label = _chosen(schema, title, "label", features.label, LABEL_NAMES)
    kind = schema.field(label).type
    if types.is_dictionary(kind):
        kind = kind.value_type
    if not (types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind) or _is_bytes(kind)):
        raise _wrong_type(title, schema.field(label), "labels are text or whole numbers", "label")
    return _Columns(image, label, _class_names(schema.metadata or {}, label) if types.is_integer(kind) else ())


def _wrong_type(title: str, field: Any, expected: str, feature: str) -> UserError:
    return UserError(
        f"{title}: the column {printable(field.name)!r} is of type {printable(str(field.type))}, and {expected}. "
        f"Name another by data.features.{feature}."
    )


def _is_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)


def _chosen(schema: Any, title: str, feature: str, configured: str, usual: tuple[str, ...]) -> str:
    """Return the column that the user names, or else the first with a usual name."""
    for name in (configured,) if configured else usual:
        if (count := schema.names.count(name)) > 1:
            raise UserError(f"{title}: {count} columns are called {printable(name)!r}. Write the file with one.")
        if count:
            return name
    names = printable(configured) if configured else f"any of {', '.join(usual)}"
    columns = ", ".join(f"{printable(field.name)} ({printable(str(field.type), 40)})" for field in list(schema)[:12])
    more = ", ..." if len(schema) > 12 else ""
    raise UserError(
        f"{title}: no column {names} for the {feature}; it has {columns or 'no columns'}{more}. "
        f"Name it by data.features.{feature}."
    )


def _class_names(metadata: dict[bytes, bytes], label: str) -> tuple[str, ...]:
    """Return the names of classes as `datasets` stores them beside the schema, by label; none where there are none."""
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        return ()
    return tuple(map(files.text, names)) if len(set(names)) == len(names) else ()


@dataclass(frozen=True)
class _Unit:
    groups: list[_RowGroup]

    @property
    def parts(self) -> int:
        return max(1, parts_of(sum(group.size for group in self.groups)))

    def read(self, max_bytes: int) -> Iterator[Record]:
        del max_bytes  # the rows are in memory before their images' sizes are known
        for group in self.groups:
            columns = group.columns
            row = group.first_row
            with _opened(group.path) as file:
                names = [columns.image, columns.label]
                for batch in file.iter_batches(_BATCH, [group.number], names, use_threads=False):
                    images, labels = (batch.column(batch.schema.get_field_index(name)) for name in names)
                    for image, label in zip(images.to_pylist(), _as_bytes(labels).to_pylist()):
                        class_name, content = _class_and_image(label, image, columns.class_names)
                        yield Record(f"{files.text(group.name)}:{row}", SplitAndClass(group.split, class_name), content)
                        row += 1


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
)
