"""JSON files of artifacts, local or remote, read and written as the type that a contract declares."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any, TypeVar

from pydantic import TypeAdapter

from components import files

T = TypeVar("T")


def read(kind: type[T], path: str) -> T:
    """Read a JSON file as `kind`, a dataclass or a list of them; undeclared keys are ignored.

    Raises:
      OSError: there is no such file.
      ValueError: it does not hold what `kind` declares.
    """
    checked: T = _adapter(kind).validate_python(json.loads(files.read_bytes(path)))  # type: ignore[arg-type]
    return checked


def write(content: Any, path: str) -> None:
    """Write a dataclass, or a list of them, as JSON."""
    files.write(path, json.dumps(content, default=dataclasses.asdict, ensure_ascii=False, indent=1) + "\n")


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
