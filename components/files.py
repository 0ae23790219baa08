"""Files, local or remote (gs://): listing, reading, writing.

Local paths go straight to the operating system: it is several times cheaper for many small files, and a command
that only checks its arguments does not import TensorFlow for it.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from typing import IO, Any

from components import file_names
from components.text import printable

FRESH = ".fresh-"  # prefix of a file that `write_atomic` has not finished

_PART = 1 << 24  # bytes read at a time


# File systems that this TensorFlow opens; all others need a package that is not installed.
SCHEMES = ("gs", "file", "ram")


def is_remote(path: str) -> bool:
    return "://" in path


def text(name: str | bytes) -> str:
    r"""Return a file's name as text that always encodes to UTF-8; bytes that are not UTF-8 are shown as \xNN."""
    if isinstance(name, bytes):
        return name.decode("utf-8", "backslashreplace")
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character, which no file system gives
        return name.encode("utf-8", "backslashreplace").decode()


def listed(names: Sequence[str], limit: int = 3) -> str:
    """Return the first names on one line, for a message: safe to print."""
    return ", ".join(printable(text(name)) for name in names[:limit]) + (", ..." if len(names) > limit else "")


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile


def open_binary(path: str) -> IO[bytes]:
    return _gfile().GFile(path, "rb") if is_remote(path) else open(path, "rb")


def exists(path: str) -> bool:
    """Return True if there is a file or folder. OSError if a remote path cannot be accessed."""
    if not is_remote(path):
        return os.path.exists(path)
    with _remote_errors():
        return bool(_gfile().exists(path))


def is_folder(path: str) -> bool:
    return _gfile().isdir(path) if is_remote(path) else os.path.isdir(path)


def split_pattern(pattern: str) -> tuple[str, str]:
    """Return (the folder before the first part that is a pattern, the rest); an existing path is no pattern."""
    base, *parts = pattern.split("/")
    for i, part in enumerate(parts):
        if glob.has_magic(part) and (is_remote(pattern) or not os.path.lexists(f"{base}/{part}")):
            return base or "/", "/".join(parts[i:])
        base = f"{base}/{part}"
    return os.path.split(pattern)


def glob_files(pattern: str) -> dict[str, str]:
    """Return the files that match a path with *, ?, [] and **, sorted, without ignored ones.

    Returns:
      {name: path}; names are relative to the folder in front of the first part that is a pattern.
    """
    base, rest = split_pattern(pattern)
    if is_remote(pattern):
        with _remote_errors():
            names = [path[len(base) + 1 :] for path in _gfile().glob(pattern)]
    else:
        names = glob.glob(rest, root_dir=base, recursive=True)
    if "**" in rest:
        names = [name for name in names if not is_folder(os.path.join(base, name))]
    return {name: os.path.join(base, name) for name in sorted(names) if not file_names.is_ignored(name)}


def glob_in(folder: str, pattern: str) -> list[str]:
    """Return the files of a folder whose name matches a glob pattern, sorted."""
    return list(glob_files(os.path.join(glob.escape(folder), pattern)).values())


def size(path: str) -> int:
    """Return the size of a file in bytes."""
    return _gfile().stat(path).length if is_remote(path) else os.stat(path).st_size


def read_bytes(path: str, limit: int | None = None) -> bytes:
    """Return the whole file; of a file with more than `limit` bytes only the first limit + 1.

    Raises:
      OSError: it cannot be read, or is no regular file: a pipe or a device may never end.
    """
    if is_remote(path):
        with _remote_errors(), _gfile().GFile(path, "rb") as file:
            return file.read() if limit is None or file.size() <= limit else file.read(limit + 1)
    with open(path, "rb", buffering=0, opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        if limit is None or status.st_size <= limit:
            return file.readall()
        return file.read(limit + 1) or b""


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # else opening a pipe waits for a writer


def sha256(path: str) -> str:
    """Return 64 hex digits of the content; the file is read in parts."""
    return _digest(path, "sha256")


def md5(path: str) -> str:
    """Return 32 hex digits of the content; the file is read in parts."""
    return _digest(path, "md5")


def _digest(path: str, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open_binary(path) as file:
        while part := file.read(_PART):
            digest.update(part)
    return digest.hexdigest()


@contextlib.contextmanager
def _remote_errors() -> Iterator[None]:
    """Raise TensorFlow's errors for a remote path as the OSError that a local path would give."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, error_reason(error)) from error


def write(path: str, content: str | bytes) -> None:
    """Write a file, local or remote, and create its folder; a local file is written atomically."""
    if isinstance(content, str):
        content = content.encode("utf-8", "backslashreplace")  # a file's name may hold half a character
    if not is_remote(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomic(path, content)
        return
    with _remote_errors():
        _gfile().makedirs(os.path.dirname(path))
        with _gfile().GFile(path, "wb") as file:
            file.write(content)


def write_atomic(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a local file atomically: a reader, meanwhile or after a crash, finds the old content or the new."""
    data = content.encode() if isinstance(content, str) else content
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):  # as /dev/stdout: to be written to, never replaced
        with open(target, "wb") as file:
            file.write(data)
        return
    fresh = os.path.join(os.path.dirname(target), f"{FRESH}{secrets.token_hex(8)}")
    try:
        with open(fresh, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise


def error_reason(error: BaseException) -> str:
    """Return the reason of an OSError, or of TensorFlow's error for a remote path, on one line."""
    lines = str(getattr(error, "message", error)).splitlines()
    return getattr(error, "strerror", None) or (lines[0] if lines else type(error).__name__)


def names(folder: str) -> list[str]:
    """Return the names in a folder, ignored ones too, sorted; empty if there is no folder."""
    if is_remote(folder):
        entries = _gfile().listdir(folder) if is_folder(folder) else []
    else:
        entries = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(name.rstrip("/") for name in entries)


def below(root: str) -> list[str]:
    """Return every file below a folder, ignored ones too: relative paths with '/', sorted."""
    walked = _gfile().walk(root) if is_remote(root) else os.walk(root)
    folders = ((str(folder_path)[len(root) :].strip("/"), names) for folder_path, _, names in walked)
    return sorted(f"{folder}/{name}" if folder else name for folder, names in folders for name in names)


def bytes_below(path: str) -> int:
    """Return the size of a file, or of all files in a folder and below it."""
    return sum(size(f"{path}/{name}") for name in below(path)) if is_folder(path) else size(path)


def remove(path: str) -> None:
    """Remove a file, or a folder and its content."""
    if is_remote(path):
        (_gfile().rmtree if is_folder(path) else _gfile().remove)(path)
    else:
        (shutil.rmtree if is_folder(path) else os.unlink)(path)


def walk(root: str) -> tuple[list[str], list[str]]:
    """Return (files, folders) below `root` as sorted relative paths with '/', without ignored ones; links are followed.

    Raises:
      OSError: a folder cannot be listed.
    """
    files: list[str] = []
    folders: list[str] = []
    with _remote_errors() if is_remote(root) else contextlib.nullcontext():
        for folder, names in _walk_remote(root) if is_remote(root) else _walk_local(root, "", frozenset()):
            if folder:
                folders.append(folder)
            files.extend(f"{folder}/{name}" if folder else name for name in names)
    return sorted(files), sorted(folders)


def _walk_local(root: str, folder: str, above: frozenset[str]) -> Iterator[tuple[str, list[str]]]:
    path = os.path.join(root, folder)
    real = os.path.realpath(path)
    if real in above:  # a link to a folder that contains it
        return
    names: list[str] = []
    below: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if file_names.is_ignored(entry.name):
                continue
            (below if entry.is_dir() else names).append(entry.name)
    yield folder, names
    for name in below:
        yield from _walk_local(root, f"{folder}/{name}" if folder else name, above | {real})


def _walk_remote(root: str) -> Iterator[tuple[str, list[str]]]:
    root = root.rstrip("/")
    _gfile().stat(root)  # walk returns nothing for an unreachable path; this raises
    for path, _, names in _gfile().walk(root):
        folder = path[len(root) :].strip("/")
        if not file_names.is_ignored(folder):
            yield folder, [name for name in names if not file_names.is_ignored(name)]
