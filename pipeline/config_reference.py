"""The reference of the configuration's keys, from the sections' descriptions: `config --explain`, docs/config.md."""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Union

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from components.config import RUN_PARAMETER, TUNABLE, Mark, Section
from components.errors import UserError
from pipeline.config import Config

_BOUNDS = {Ge: "at least {.ge}", Gt: "above {.gt}", Le: "at most {.le}", Lt: "below {.lt}"}
_KINDS = {int: "whole number", float: "number", bool: "true or false", str: "text", tuple: "list", dict: "mapping"}
_INTRODUCTION = """# Configuration

`make docs` writes this page from the sections beside the stages' code (`components/<stage>/config.py`). A preset
(`pipeline/presets`) overrides the defaults, a YAML file (`--config`) overrides the preset, and `--set KEY=VALUE`
overrides both. `image-pipeline config` prints every value and its origin, `config --explain KEY` what a key means.
"""


class Key(NamedTuple):
    """A key of the configuration."""

    name: str  # dotted
    meaning: str
    values: str  # that it may have
    default: Any
    marks: list[Mark]


def all_keys(section: type[Section] = Config, prefix: str = "") -> Iterator[Key]:
    """Yield every key of `section` and its subsections, in the order of declaration."""
    for name, field in section.model_fields.items():
        if inner := _section(field):
            yield from all_keys(inner, f"{prefix}{name}.")
        else:
            default = field.get_default(call_default_factory=True, validated_data={})
            marks = [mark for mark in field.metadata if isinstance(mark, Mark)]
            yield Key(prefix + name, field.description or "", _values(field), default, marks)


def sections(section: type[Section] = Config, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted name and description of every section in `section`, the outer before the inner."""
    for name, field in section.model_fields.items():
        if inner := _section(field):
            yield prefix + name, (inner.__doc__ or "").strip()
            yield from sections(inner, f"{prefix}{name}.")


def explain(name: str, values: dict[str, Any], origins: dict[str, str]) -> str:
    """Return the meaning of the key `name`, or of each key of the section `name`.

    Args:
      name: dotted.
      values: of every key, flat, as they are configured.
      origins: of the values.

    Raises:
      UserError: there is no such key.
    """
    for key in all_keys():
        if name == key.name or name.startswith(f"{key.name}."):
            configured = [each for each in values if f"{each}.".startswith(f"{name}.")]
            return "\n".join(
                [
                    *(f"{each}: {json.dumps(values[each])}  # {origins[each]}" for each in configured),
                    f"  {key.meaning}.",
                    f"  values: {key.values}; default: {_text(key.default)}",
                    *(f"  {mark.name}: {mark.meaning}" for mark in key.marks),
                ]
            )
    inner = [key for key in all_keys() if key.name.startswith(f"{name}.")]
    if inner:
        width = max(len(key.name) for key in inner)
        return "\n".join([f"  {dict(sections())[name]}", *(f"  {key.name:<{width}}  {key.meaning}" for key in inner)])
    keys = [key.name for key in all_keys()]
    near = [key for key in keys if key.rpartition(".")[2] == name] or difflib.get_close_matches(name, keys, n=1)
    hint = f"did you mean {' or '.join(near)}?" if near else "`config` lists them all"
    raise UserError(f"unknown config key {name!r}; {hint}")


def markdown() -> str:
    """Return docs/config.md."""
    lines = [_INTRODUCTION, *(f"- *{mark.name}*: {mark.meaning}" for mark in (RUN_PARAMETER, TUNABLE))]
    titles = {"": "The run", **dict(sections())}
    for section, title in titles.items():
        inner = [key for key in all_keys() if key.name.rpartition(".")[0] == section]
        lines += ["", f"## {section}" if section else f"## {title}", ""]
        lines += [title, ""] if section else []
        lines += ["| key | meaning | values | default |", "| --- | --- | --- | --- |"] if inner else []
        for key in inner:
            marks = ", ".join(mark.name for mark in key.marks)
            meaning = f"{key.meaning}." + (f" *{marks.capitalize()}.*" if marks else "")
            cells = (f"`{key.name}`", meaning, key.values, f"`{_text(key.default)}`")
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _section(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _values(field: FieldInfo) -> str:
    kind, optional = field.annotation, ""
    if typing.get_origin(kind) in (Union, types.UnionType):
        parts = typing.get_args(kind)
        kind = float if float in parts else next(part for part in parts if part is not type(None))
        optional = ", or not set" if type(None) in parts else ""
    if typing.get_origin(kind) is Literal:
        return ", ".join(map(str, typing.get_args(kind))) + optional
    bounds = [text.format(bound) for bound in field.metadata for type_, text in _BOUNDS.items() if type(bound) is type_]
    named = _KINDS.get(typing.get_origin(kind) or kind, "text")  # type: ignore[arg-type]
    return " ".join([named, " and ".join(bounds)]).strip() + optional


def _text(value: Any) -> str:
    return "not set" if value is None else value if isinstance(value, str) and value else json.dumps(value)
