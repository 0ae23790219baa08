"""Files, local or remote (gs://): listing, reading, and which of them are never meant as data.

Local paths go straight to the operating system: it is several times cheaper for many small files, and a command
that only checks its arguments does not import TensorFlow for it.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from typing import IO, Any

# Left behind by operating systems and archivers beside the pictures.
_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin"})
_RECORDS = re.compile(r"(\.tfrecords?\b[^/]*|-\d{5}-of-\d{5}(\.gz)?)$", re.IGNORECASE)


def is_remote(path: str) -> bool:
    return "://" in path


def is_litter(relative: str) -> bool:
    """Whether a path is hidden or the operating system's own, in any of its folders: silently ignored."""
    return any(
        (part.startswith(".") and part != "." and not part.startswith("..")) or part.casefold() in _LITTER
        for part in relative.split("/")
    )


def is_records(path: str) -> bool:
    """Whether a file is named as TFRecords are: *.tfrecord*, or …-00000-of-00005."""
    return bool(_RECORDS.search(path))


def text(name: str | bytes) -> str:
    """A file's name as text that always encodes to UTF-8; bytes that are not UTF-8 are shown as \\xNN."""
    if isinstance(name, bytes):
        return name.decode("utf-8", "backslashreplace")
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character, which no file system gives
        return name.encode("utf-8", "backslashreplace").decode()


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile


def open_binary(path: str) -> IO[bytes]:
    return _gfile().GFile(path, "rb") if is_remote(path) else open(path, "rb")


def exists(path: str) -> bool:
    return _gfile().exists(path) if is_remote(path) else os.path.exists(path)


def is_folder(path: str) -> bool:
    return _gfile().isdir(path) if is_remote(path) else os.path.isdir(path)


def matches(pattern: str) -> list[str]:
    """The files that a pattern with *, ? and [] names, sorted; litter left out."""
    found = _gfile().glob(pattern) if is_remote(pattern) else glob.glob(pattern)
    return sorted(path for path in found if not is_litter(os.path.basename(path)))


def matching(folder: str, pattern: str) -> list[str]:
    """The files of a folder whose name matches a glob pattern, sorted."""
    return matches(os.path.join(glob.escape(folder), pattern))


def size(path: str) -> int:
    """Bytes."""
    return _gfile().stat(path).length if is_remote(path) else os.stat(path).st_size


def read_bytes(path: str, limit: int | None = None) -> bytes:
    """The whole file; of a file with more than `limit` bytes only the first limit + 1."""
    if is_remote(path):
        with _gfile().GFile(path, "rb") as file:
            return file.read() if limit is None or file.size() <= limit else file.read(limit + 1)
    with open(path, "rb", buffering=0) as file:
        if limit is None or os.fstat(file.fileno()).st_size <= limit:
            return file.readall()
        return file.read(limit + 1) or b""


def why(error: BaseException) -> str:
    """The reason of an OSError, or of what TensorFlow raises for a remote path, on one line."""
    lines = str(getattr(error, "message", error)).splitlines()
    return getattr(error, "strerror", None) or (lines[0] if lines else type(error).__name__)


def walk(root: str) -> tuple[list[str], list[str]]:
    """(files, folders) below `root`, paths relative to it with '/', sorted; litter left out, links followed."""
    files: list[str] = []
    folders: list[str] = []
    for folder, names in _walk_remote(root) if is_remote(root) else _walk_local(root, "", frozenset()):
        if folder:
            folders.append(folder)
        files.extend(f"{folder}/{name}" if folder else name for name in names)
    return sorted(files), sorted(folders)


def _walk_local(root: str, folder: str, above: frozenset[str]) -> Iterator[tuple[str, list[str]]]:
    here = os.path.join(root, folder)
    real = os.path.realpath(here)
    if real in above:  # a link to a folder that contains it
        return
    names: list[str] = []
    below: list[str] = []
    with os.scandir(here) as entries:
        for entry in entries:
            if is_litter(entry.name):
                continue
            (below if entry.is_dir() else names).append(entry.name)
    yield folder, names
    for name in below:
        yield from _walk_local(root, f"{folder}/{name}" if folder else name, above | {real})


def _walk_remote(root: str) -> Iterator[tuple[str, list[str]]]:
    root = root.rstrip("/")
    for here, _, names in _gfile().walk(root):
        folder = here[len(root) :].strip("/")
        if not is_litter(folder):
            yield folder, [name for name in names if not is_litter(name)]
