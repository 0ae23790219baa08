"""Files of artifacts, local or remote. Local ones need no TensorFlow, which takes seconds to import."""

from __future__ import annotations

import glob
import os


def read_bytes(path: str) -> bytes:
    if "://" in path:
        from tfx.dsl.io import fileio

        with fileio.open(path, "rb") as file:
            return bytes(file.read())
    with open(path, "rb") as file:
        return file.read()


def exists(path: str) -> bool:
    if "://" in path:
        from tfx.dsl.io import fileio

        return bool(fileio.exists(path))
    return os.path.exists(path)


def matching(folder: str, pattern: str) -> list[str]:
    """The files of a folder whose name matches a glob pattern, sorted."""
    if "://" in folder:
        from tfx.dsl.io import fileio

        return sorted(str(path) for path in fileio.glob(os.path.join(folder, pattern)))
    return sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))
