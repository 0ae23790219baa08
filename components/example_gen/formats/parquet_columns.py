"""The columns of a Parquet file that are read: chosen by their names, and checked by their types."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from components import files
from components.errors import UserError
from components.example_gen.formats import table_rows
from components.example_gen.formats.base import Features
from components.text import printable

# The names that are usual, tried in this order; then those of tables.
IMAGE_NAMES = ("image", "img", "image_bytes", "jpg", "png", *table_rows.IMAGE_NAMES)
LABEL_NAMES = ("class_name", "label", "labels", "class", *table_rows.LABEL_NAMES)
SPLIT_NAMES = table_rows.SPLIT_NAMES


class Columns(NamedTuple):
    """The columns of a file that are read."""

    image: str
    label: str
    split: str  # empty where there is none
    class_names: tuple[str, ...]  # by label; empty where the file names none
    paths: bool  # whether the column of images holds paths of files


def choose(schema: Any, path: str, features: Features) -> Columns:
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
    paths = _is_text(kind)
    if not (paths or _is_bytes(kind)):
        raise _wrong_type(title, schema.field(image), "images are encoded bytes, or {bytes, path}, or paths", "image")
    label = _chosen(schema, title, "label", features.label, LABEL_NAMES)
    kind = _values(schema.field(label).type)
    if not (types.is_integer(kind) or _is_text(kind) or _is_bytes(kind)):
        raise _wrong_type(title, schema.field(label), "labels are text or whole numbers", "label")
    split = next((name for name in SPLIT_NAMES if schema.names.count(name) == 1), "")
    if split and not _is_text(_values(schema.field(split).type)):
        split = ""
    class_names = _class_names(schema.metadata or {}, label) if types.is_integer(kind) else ()
    return Columns(image, label, split, class_names, paths)


def _wrong_type(title: str, field: Any, expected: str, feature: str) -> UserError:
    return UserError(
        f"{title}: the column {printable(field.name)!r} is of type {printable(str(field.type))}, and {expected}. "
        f"Name another by data.features.{feature}."
    )


def _values(kind: Any) -> Any:
    """Return the type of a column's values, which may be stored once in a dictionary."""
    import pyarrow.types as types

    return kind.value_type if types.is_dictionary(kind) else kind


def _is_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_string(kind) or types.is_large_string(kind)


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
