"""The interface of a format: what it matches, which files are its own, its unit of work, how its records are read.

Each module of this package declares one as `FORMAT`; `FORMATS` in `__init__.py` lists them; `detect.py` chooses.

A unit is what one worker reads from front to back: some of a folder's files, some members of an archive, a whole
compressed archive, a file of TFRecords. Images are shuffled only within their unit. Items that can be read in any order
are therefore assigned to units by a hash of their names, so that each unit has all classes.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from components import file_names, files
from components.download import Published
from components.example_gen.layout import SplitAndClass
from components.example_gen.rejected import Rejected

_FILES_IN_UNIT = 8192
_BYTES_IN_PART = 32 << 20

T = TypeVar("T")

# The images that go to one class of one split: told by the source, or else by the folder they lie in ('/' in names).
Group = str | SplitAndClass

NO_CLASS = SplitAndClass(None, "")  # of images of no class, and of archive members outside the archive's folder


class Features(NamedTuple):
    """The features of TFRecords or columns of Parquet that hold the image and its label; usual ones where empty."""

    image: str = ""
    label: str = ""


USUAL = Features()


@dataclass(frozen=True)
class Source:
    """The location of the images: `pattern` below `input_base`, with TFX's placeholders where spans are used."""

    format: str  # the name of one of FORMATS
    name: str  # of the data set: a safe default for the model's name
    input_base: str
    pattern: str
    published: Published | None = None  # has to be at input_base/pattern before the run: see sources.fetch
    note: str = ""  # what the user should know of how it was found
    tfds: str = ""  # the name in TensorFlow Datasets, which prepares it before the run

    @property
    def path(self) -> str:
        return os.path.join(self.input_base, self.pattern)


class Record(NamedTuple):
    """An image of a source, or what should have been an image."""

    source: str  # where it comes from, as UTF-8 text
    group: Group
    content: bytes | np.ndarray | Rejected  # an encoded image, pixels uint8 [H, W, 3], or why there is neither


class ClassNames(NamedTuple):
    """The class names by label, yielded once by a source whose records have numbers as labels."""

    names: list[str]


class Unit(Protocol):
    """A unit of work; it is pickled and sent to a worker."""

    @property
    def parts(self) -> int:
        """Return the number of parts that its images are assigned to; each is shuffled in memory separately."""

    def read(self, max_bytes: int) -> Iterator[Record | ClassNames]:
        """Yield the unit's records in the source's order; encoded images over `max_bytes` need not be read whole.

        Raises:
          UserError: the source is damaged.
        """


class Inventory(NamedTuple):
    """The units of work and the ignored files of a source."""

    units: Sequence[Unit]
    folders: Sequence[str] = ()  # all of them, where folders tell the classes
    ignored: Sequence[str] = ()  # files whose names say that they describe the images
    notes: Sequence[str] = ()  # what the user should know of how the source was understood
    title: str = ""  # what messages call the source; its path if empty
    images: int | None = None  # how many there should be; None where only reading them would tell


class Listing(NamedTuple):
    """The files at a source's path: a file, all files of a folder, or those that a pattern names."""

    path: str
    root: str
    names: Sequence[str]  # relative to `root`, sorted, with '/'
    folders: Sequence[str] = ()  # of a folder, all below it

    @classmethod
    def at(cls, path: str) -> Listing:
        """List the files at the path without ignored ones; empty if there is nothing.

        Raises:
          OSError: a folder cannot be listed.
        """
        if files.is_folder(path):
            names, folders = files.walk(path)
            return cls(path, path, names, folders)
        if files.exists(path):
            root, name = os.path.split(path)
            return cls(path, root, [name])
        matches = files.glob_files(path) if glob.has_magic(path) else {}
        names = [name for name in matches if not file_names.is_description(name)]
        return cls(path, files.split_pattern(path)[0], names or list(matches))  # tables are descriptions

    @property
    def is_folder(self) -> bool:
        return self.root == self.path

    @property
    def ignored(self) -> list[str]:
        """Return the files of a folder whose names say that they describe the images."""
        return [name for name in self.names if file_names.is_description(name)] if self.is_folder else []

    @property
    def data(self) -> list[str]:
        """Return the other files."""
        return [name for name in self.names if not (self.is_folder and file_names.is_description(name))]

    def path_of(self, name: str) -> str:
        return os.path.join(self.root, name)


@dataclass(frozen=True)
class Format:
    """A format of sources. By default nothing is matched, checked or known by name.

    Attributes:
      name: what the settings of a run call it, and what the user calls its data set, where there is `dataset`.
      expected: what to give as a path, as the message on a file of no known format lists it; empty if none.
      inventory: lists the units of work; its Features are those that the user names. Raises UserError: the source is
        damaged, or what is in it does not fit together.
      is_named: whether a file of this name is of the format. It decides of remote paths, and which files of a folder
        are the format's.
      is_file: whether a file that is there is of the format, by its content.
      is_folder: whether it reads the folder as a whole, whatever else is in it.
      file: what messages call a file, where a folder or a pattern of such files is a source.
      several: the plural of `file` in messages, if `file` is given.
      preview: as `inventory`, of as little of the source as tells what images are in it; None if `inventory` is cheap.
      check: checks, before the run, what can be checked without reading records. Raises UserError: the source cannot be
        used.
      referenced: the files that the source names and that are read as well, {name: path}: the cache key covers them.
      dataset: describes the data set that the user calls by `name`; given the folder that downloads are kept in.
      published: what is downloaded for the data set.
    """

    name: str
    expected: str
    inventory: Callable[[Listing, Features], Inventory]
    is_named: Callable[[str], bool] = lambda path: False
    is_file: Callable[[str], bool] = lambda path: False
    is_folder: Callable[[Listing], bool] = lambda listing: False
    file: str = ""
    several: str = ""
    preview: Callable[[Listing, Features], Inventory] | None = None
    check: Callable[[Listing], None] = lambda listing: None
    referenced: Callable[[Listing, Features], Mapping[str, str]] = lambda listing, features: {}
    dataset: Callable[[str], Source] | None = None
    published: Published | None = None


def deal(items: Sequence[T], name_of: Callable[[T], str] = str, count: int | None = None) -> list[list[T]]:
    """Deal items that can be read in any order to units, in the order of a hash of their names.

    Args:
      items: of any kind.
      name_of: gives an item's name.
      count: of units, none of which is empty; by the number of items if not given.
    """
    mixed = sorted(items, key=lambda item: _hash_and_name(name_of(item)))
    count = -(-len(mixed) // _FILES_IN_UNIT) if count is None else min(count, len(mixed))
    return [mixed[i::count] for i in range(count)]


def _hash_and_name(name: str) -> tuple[bytes, str]:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), name


def parts_of(size: int) -> int:
    """Return the number of parts for a unit of so many bytes that is read in its own order."""
    return min(256, -(-size // _BYTES_IN_PART))
