"""The rows of a table in a text file: CSV by any usual separator, and JSON Lines."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from components import files
from components.errors import UserError
from components.example_gen.formats.base import Features
from components.text import printable

# The names that are usual, tried in this order; case, spaces and dashes do not count.
IMAGE_NAMES = (
    *("file_name", "filename", "file_path", "filepath", "path", "image_path", "img_path", "image_file", "image_name"),
    *("file", "image", "img", "filenames", "image_id"),
)
LABEL_NAMES = ("class_name", "label_name", "label", "labels", "class", "category", "target", "class_label")
SPLIT_NAMES = ("split", "subset", "partition", "usage", "data_split")

_JSON_LINES = re.compile(r"\.(jsonl|ndjson)$", re.IGNORECASE)
_DELIMITERS = ",;\t|"
_LISTED = 12  # columns named in a message

_Line = tuple[int, list[object]]  # its number in the file, and its cells


class Columns(NamedTuple):
    """The names of the columns that are read."""

    image: str
    label: str
    split: str  # empty where there is none


class Row(NamedTuple):
    """A row of a table: an image."""

    path: str
    label: str | int
    split: str
    problem: str = ""  # why it cannot be used


class Table(NamedTuple):
    columns: Columns
    rows: list[Row]


def read(path: str, features: Features) -> Table:
    """Read a table.

    Raises:
      UserError: it is not text, a line of it does not fit, or it has no column for the image or the label.
    """
    title = files.text(path)
    text = text_of(path)
    if _JSON_LINES.search(path):
        header, lines = _json_lines(text, title)
    else:
        header, lines = _csv_lines(text, title, features)
    image, label, split = _positions(header, features, title)
    columns = Columns(header[image], header[label], "" if split is None else header[split])
    rows = []
    for number, cells in lines:
        if len(cells) != len(header):
            raise UserError(
                f"{title}: line {number:,} has {len(cells)} fields, and the first line names {len(header)} columns. "
                "Put text that holds the separator into quotes."
            )
        if any(cell not in ("", None) for cell in cells):
            rows.append(_row(cells[image], cells[label], "" if split is None else cells[split]))
    if not rows:
        raise UserError(f"{title}: no rows in it. Write the path of each image and its label into it, a line each.")
    return Table(columns, rows)


def has_label(path: str, features: Features) -> bool:
    """Return whether a table has a column for the label. UserError as `read`, but for missing columns."""
    text = text_of(path)
    if _JSON_LINES.search(path):
        header, _ = _json_lines(text, files.text(path))
    else:
        header, _ = _csv_lines(text, files.text(path), features)
    return bool(_matching(header, features.label, LABEL_NAMES))


def text_of(path: str) -> str:
    """Return a file's text.

    Raises:
      UserError: it is not text in UTF-8, or in UTF-16 with its mark.
    """
    title = files.text(path)
    try:
        raw = files.read_bytes(path)
    except OSError as error:
        raise UserError(f"{title}: cannot be read ({files.error_reason(error)}).") from error
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Excel's "Unicode text"
    try:
        text = raw.decode("utf-16" if wide else "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(f"{title}: not UTF-8 in line {line:,}. Save it as UTF-8.") from error
    if "\0" in text:
        raise UserError(f"{title}: holds zero bytes, so it is not text. Write it again.")
    return text


def _csv_lines(text: str, title: str, features: Features) -> tuple[list[str], Iterator[_Line]]:
    """Return the header and the lines below it, by the first separator that gives the columns that are needed."""
    lines = (line for line in io.StringIO(text, newline="") if line.strip())
    first = next(lines, "")
    headers = {
        delimiter: next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), [])
        for delimiter in _DELIMITERS
    }
    fitting = [delimiter for delimiter, header in headers.items() if _fits(header, features)]
    delimiter = fitting[0] if fitting else max(headers, key=lambda delimiter: len(headers[delimiter]))
    return headers[delimiter], _csv_rows(text, delimiter, title)


def _csv_rows(text: str, delimiter: str, title: str) -> Iterator[_Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        filled = ((reader.line_num, list[object](cells)) for cells in reader if any(map(str.strip, cells)))
        next(filled, None)  # the header
        yield from filled
    except csv.Error as error:
        raise UserError(
            f"{title}: line {reader.line_num:,} cannot be read as CSV ({error}). Close its quotes, and double those "
            "within a text."
        ) from error


def _json_lines(text: str, title: str) -> tuple[list[str], Iterator[_Line]]:
    """Return the keys of all objects, and the values of each."""
    objects: list[tuple[int, Mapping[str, object]]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise UserError(f"{title}: line {number:,} is not JSON ({error}). Write one object a line.") from error
        if not isinstance(value, dict):
            raise UserError(f"{title}: line {number:,} is no JSON object. Write one object a line.")
        objects.append((number, value))
    header = list(dict.fromkeys(key for _, value in objects for key in value))
    return header, ((number, [value.get(key) for key in header]) for number, value in objects)


def _positions(header: Sequence[str], features: Features, title: str) -> tuple[int, int, int | None]:
    """Return where the image, the label and the split are."""
    image = _position(header, "image", features.image, IMAGE_NAMES, title)
    label = _position(header, "label", features.label, LABEL_NAMES, title)
    split = next(iter(_matching(header, "", SPLIT_NAMES)), None)
    return image, label, split


def _fits(header: Sequence[str], features: Features) -> bool:
    return all(
        _matching(header, configured, usual)
        for configured, usual in ((features.image, IMAGE_NAMES), (features.label, LABEL_NAMES))
    )


def _matching(header: Sequence[str], configured: str, usual: Sequence[str]) -> list[int]:
    """Return the positions of the column that the user names, or else of the first with a usual name."""
    for name in (configured,) if configured else usual:
        if found := [i for i, column in enumerate(header) if _plain(column) == _plain(name)]:
            return found
    return []


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.strip().casefold())


def _position(header: Sequence[str], feature: str, configured: str, usual: Sequence[str], title: str) -> int:
    positions = _matching(header, configured, usual)
    if len(positions) > 1:
        twice = printable(header[positions[0]])
        raise UserError(f"{title}: {len(positions)} columns are called {twice!r}. Write it with one.")
    if positions:
        return positions[0]
    wanted = printable(configured) if configured else f"any of {', '.join(usual[:4])}, ..."
    columns = ", ".join(printable(name, 40) for name in header[:_LISTED]) + (", ..." if len(header) > _LISTED else "")
    raise UserError(
        f"{title}: no column {wanted} for the {feature}; its first line has {columns or 'none'}. "
        f"Name it by data.features.{feature}."
    )


def _row(image: object, label: object, split: object) -> Row:
    path = image.replace("\\", "/") if isinstance(image, str) else ""  # written on Windows
    name, problem = _label(label)
    return Row(path, name, split.strip() if isinstance(split, str) else "", problem if path else "no path of an image")


def _label(label: object) -> tuple[str, str]:
    """Return (the class of a label, why it is none)."""
    if isinstance(label, bool):
        return str(label).lower(), ""
    if label is None or not str(label).strip():
        return "", "no label"
    if not isinstance(label, (str, int)):
        return "", f"no label: {printable(str(label), 40)} is neither text nor a whole number"
    name = files.text(str(label).strip())
    return ("", f"no label: {name}, which stands for unlabelled") if re.fullmatch(r"-\d+", name) else (name, "")
