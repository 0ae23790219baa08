"""Images that a model is asked about, read as its training images were: what a person gives, in batches."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from components.errors import UserError
from components.file_names import is_description
from components.files import SCHEMES, exists, is_folder, is_remote, read_bytes, walk
from components.text import printable

if TYPE_CHECKING:
    from components.example_gen.rejected import Rejected

BATCH, BATCH_BYTES = 256, 64 << 20  # the largest batch, in images and in bytes
FETCHED = 16  # remote files that are fetched at a time
LABEL = 4096  # characters of a path in messages; paths are longer than what else is printed


class _HasLimits(Protocol):
    """The section `data` of a configuration, or the settings that an ExampleGen recorded."""

    @property
    def max_bytes(self) -> int: ...
    @property
    def max_pixels(self) -> int: ...
    @property
    def max_side(self) -> int | None: ...


class Limits(NamedTuple):
    """What is read of an image: keys of `data`."""

    max_bytes: int  # of an encoded image
    max_pixels: int  # height x width
    max_side: int | None  # pixels of the longer side, to which a larger image is reduced; None: it is not

    @classmethod
    def of(cls, settings: _HasLimits) -> Limits:
        """Return the limits among the settings with which data is or was read."""
        return cls(settings.max_bytes, settings.max_pixels, settings.max_side)


Reader = Callable[[Limits], bytes]  # returns an image as the exported model takes it, or raises Rejected or OSError
Key = TypeVar("Key")


def batches(images: Iterable[tuple[Key, Reader]], limits: Limits) -> Iterator[list[tuple[Key, bytes | Rejected]]]:
    """Read images, each with a key, a batch at a time.

    Yields:
      pairs of a key and the encoded image, or the reason why it cannot be read.
    """
    from components.example_gen.rejected import Rejected

    batch: list[tuple[Key, bytes | Rejected]] = []
    size = 0
    for key, read in images:
        image: bytes | Rejected
        try:
            image = read(limits)
            size += len(image)
        except Rejected as error:
            image = error
        except OSError as error:
            image = Rejected(f"cannot be read ({error.strerror or error})")
        batch.append((key, image))
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def of_file(file: str, named: bool) -> Reader:
    """Return the reader of a local file.

    Args:
      file: its path.
      named: by the user, who may name a pipe or a device.
    """
    return lambda limits: canonical(_content(file, limits.max_bytes, named), limits)


def canonical(raw: bytes, limits: Limits) -> bytes:
    """Return an encoded image as the exported model takes it; Rejected if that is impossible."""
    from components.example_gen import decoding, images

    return images.canonical_bytes(raw, limits.max_bytes, limits.max_pixels, limits.max_side or decoding.MAX_SIDE)


def files(paths: Sequence[str]) -> list[tuple[str, Reader]]:
    """Return the files named and the files in named folders that `run` would read, sorted by name.

    Raises:
      UserError: there is no such file, or a folder holds no image.
    """
    found: list[str] = []
    named: set[str] = set()
    for text in paths:
        label = printable(text, LABEL)
        path = _remote(text) if is_remote(text) else str(Path(text))
        if is_folder(path):
            try:
                below = [name for name in walk(path)[0] if not is_description(name)]
            except OSError as error:
                raise UserError(f"{label}: {error.filename or 'it'} cannot be read ({error.strerror})") from None
            if not below:
                raise UserError(f"{label}: the folder holds no image")
            found += [f"{path.rstrip('/')}/{name}" for name in below]
        elif _exists(path, label):  # False, too, of what is too long for a name
            found.append(path)
            named.add(path)
        else:
            raise UserError(f"{label}: no such file or folder")
    ahead = _Ahead([file for file in found if is_remote(file)])
    return [(file, ahead.reader(file) if is_remote(file) else of_file(file, file in named)) for file in found]


class _Ahead:
    """Remote files, some of which are fetched while those before them are decoded: each takes its time to answer."""

    def __init__(self, files: list[str]) -> None:
        self._coming = deque(files)
        self._fetched: dict[str, Future[bytes]] = {}

    def reader(self, file: str) -> Reader:
        """Return the reader of one of the files."""
        return lambda limits: canonical(self._content(file, limits.max_bytes), limits)

    def _content(self, file: str, limit: int) -> bytes:
        while self._coming and len(self._fetched) < FETCHED:
            following = self._coming.popleft()
            if following not in self._fetched:
                self._fetched[following] = _pool().submit(read_bytes, following, limit)
        return self._fetched.pop(file).result() if file in self._fetched else read_bytes(file, limit)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(FETCHED)


def _remote(path: str) -> str:
    """Return the path without a slash at its end. UserError if its scheme is one that is not read."""
    scheme = path.partition("://")[0]
    if scheme not in SCHEMES:
        raise UserError(f"{printable(path, LABEL)}: no {scheme}:// paths are read; copy it to gs:// or this machine")
    return path.rstrip("/")


def _exists(path: str, label: str) -> bool:
    try:
        return exists(path)
    except OSError as error:
        raise UserError(f"{label}: it cannot be read ({error.strerror})") from None


def _content(file: str, limit: int, named: bool) -> bytes:
    """Return the content of the file; of a file with more than `limit` bytes only the first limit + 1."""
    if not named or os.path.isfile(file):
        return read_bytes(file, limit)
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # do not wait for the writer of a pipe
    os.set_blocking(descriptor, True)
    with open(descriptor, "rb") as stream:
        return stream.read(limit + 1)
