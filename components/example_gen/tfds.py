"""Data sets of TensorFlow Datasets, `--data tfds:NAME`: prepared by its own library, then read as TFRecords.

The library is not in the lock: it is imported only where such a source is given.
"""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

from components.errors import UserError
from components.text import printable

PREFIX = "tfds:"


def folder_name(name: str) -> str:
    """Return a data set's name, `cifar100` or `cats_vs_dogs/config:1.0.0`, as the name of a folder and a model.

    Raises:
      UserError: the library is not installed, or there is no name.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-_")
    if not safe:
        raise UserError(f"{PREFIX}{printable(name)}: name a data set of TensorFlow Datasets, like {PREFIX}beans.")
    if importlib.util.find_spec("tensorflow_datasets") is None:
        raise UserError(
            f"{PREFIX}{printable(name)}: the package tensorflow-datasets is not installed. Install it with "
            '`"$(python3 tools/bootstrap.py --tools-only)" pip install --python .venv/bin/python tensorflow-datasets`.'
        )
    return safe


def prepare(name: str, link: str) -> str:
    """Have the data set downloaded and prepared where the library keeps its own; let `link` lead to it.

    Returns:
      The folder with its TFRecords.

    Raises:
      UserError: there is no such data set, it cannot be had, or it is not kept as TFRecords.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
        builder.download_and_prepare()
    except Exception as error:  # the library, and each of its data sets, raises many kinds of errors
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        reason = printable(lines[0].strip(), 300).rstrip(".")
        raise UserError(f"{PREFIX}{printable(name)}: TensorFlow Datasets cannot prepare it ({reason}).") from error
    folder = str(builder.data_dir)
    kept_as = str(getattr(builder.info.file_format, "value", builder.info.file_format))
    if kept_as != "tfrecord":
        raise UserError(
            f"{PREFIX}{printable(name)}: it is kept as {printable(kept_as)} in {folder}, and not as TFRecords."
        )
    fresh = Path(f"{link}.new")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder)
    os.replace(fresh, link)
    return folder
