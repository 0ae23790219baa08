"""A unit of image files of which each has its group: some files of a folder, or some that a table names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from components import files
from components.example_gen.archives.file_types import ENDINGS
from components.example_gen.formats.base import Group, Record, Unit, deal
from components.example_gen.rejected import Rejected

_ARCHIVE = "an archive: extract it, or give it by itself"


class LabelledFile(NamedTuple):
    """A file that should hold an image."""

    path: str  # relative to the unit's root, or absolute
    group: Group
    problem: str = ""  # why it cannot be used, where that is known without reading it


def resolve(root: str, path: str) -> str:
    """Return where a file is whose path is relative to `root`, or absolute, or remote."""
    return path if files.is_remote(path) else os.path.join(root, path)


def units(root: str, labelled: Sequence[LabelledFile]) -> list[Unit]:
    """Deal the files to units."""
    return [_Unit(root, some) for some in deal(labelled, lambda file: file.path)]


@dataclass(frozen=True)
class _Unit:
    root: str
    files: list[LabelledFile]
    parts: int = 1

    def read(self, max_bytes: int) -> Iterator[Record]:
        for path, group, problem in self.files:
            content = Rejected(problem) if problem else _content(self.root, path, max_bytes)
            yield Record(files.text(path), group, content)


def _content(root: str, path: str, max_bytes: int) -> bytes | Rejected:
    if ENDINGS.search(path):  # beside images
        return Rejected(_ARCHIVE)
    scheme, separator, _ = path.partition("://")
    if separator and scheme not in files.SCHEMES:
        return Rejected("a URL, which is not downloaded: download the image, and let the table name its path")
    try:
        return files.read_bytes(resolve(root, path), max_bytes)
    except OSError as error:
        return Rejected(f"cannot be read ({error.strerror or error})")
    except ValueError:  # of the operating system: zero bytes, or half a character
        return Rejected("cannot be read (no file can have this name)")
