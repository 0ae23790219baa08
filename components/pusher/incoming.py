"""The hidden folders in which versions are made, beside those that TensorFlow Serving serves."""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

INCOMING = ".incoming-"  # <base_directory>/.incoming-<uuid>: a model being copied, or left by a push that died


@contextlib.contextmanager
def folder(base: str) -> Iterator[str]:
    """Yield a new folder below `base`, locked as long as this process writes it; the caller renames or removes it."""
    path = os.path.join(base, INCOMING + uuid.uuid4().hex)
    os.mkdir(path)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems lock no folders
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path
    finally:
        os.close(descriptor)


def abandoned(served: Path) -> list[str]:
    """Return the folders below <served>/<name>/ that killed pushes left; those of running pushes are locked."""
    return [str(path) for path in sorted(served.glob(f"*/{INCOMING}*")) if _is_free(path)]


def _is_free(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # renamed or removed meanwhile
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # as above: nobody can tell
        pass
    finally:
        os.close(descriptor)
    return True
