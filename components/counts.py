"""Whether an Examples artifact still has the records that ExampleGen counted.

TensorFlow takes a gzipped file that was cut short for a short file, without a word. Every stage that reads examples
compares what it read with what there was.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from components import features as f
from components import files
from components.errors import Damaged

_THREADS = 8  # files read side by side
_PART = 1 << 24  # bytes read at a time


def check(examples: str, read: Mapping[str, int]) -> None:
    """Compares the number of records read of each split with that in COUNTS_FILE.

    Args:
      examples: root of the artifact.
      read: records by split.

    Raises:
      Damaged: they differ.
    """
    path = f"{examples}/{f.COUNTS_FILE}"
    if not files.exists(path):
        raise Damaged(f"{path} is missing; {_advice(examples)}")
    try:
        splits = json.loads(files.read_bytes(path)).get("splits", {})
    except (ValueError, AttributeError):
        raise Damaged(f"{path} cannot be read; {_advice(examples)}") from None
    for split, number in read.items():
        counted = sum(splits[split].values()) if split in splits else number
        if number != counted:
            cut = [name for name in _files(examples, split) if _is_cut(name)]
            which = f" ({', '.join(os.path.basename(name) for name in cut[:3])} was cut short)" if cut else ""
            raise Damaged(
                f"split {split} of {examples} is damaged: {number:,} of {counted:,} records are left{which}; "
                f"{_advice(examples)}"
            )


def verify(examples: str, splits: Iterable[str]) -> None:
    """As `check`, for who does not count what it reads: the files are read once more, and not decoded.

    Raises:
      Damaged: a split has other records than were counted.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        check(examples, {split: sum(pool.map(of_file, _files(examples, split))) for split in splits})


def of_file(path: str) -> int:
    """The records of a TFRecord file of an artifact.

    Raises:
      Damaged: it cannot be read.
    """
    import numpy as np
    import tensorflow as tf

    records = tf.data.TFRecordDataset(path, "GZIP" if path.endswith(".gz") else "")
    try:
        return int(records.batch(4096).reduce(np.int64(0), lambda n, batch: n + tf.size(batch, tf.int64)))
    except tf.errors.OpError as error:
        advice = _advice(os.path.dirname(os.path.dirname(path)))
        why = re.sub(r"\{\{.*?\}\} |\s*\[Op:.*", "", files.why(error))  # the names of nodes of a graph
        raise Damaged(f"{path} is damaged: {why}; {advice}") from None


def _files(examples: str, split: str) -> list[str]:
    folder = f"{examples}/Split-{split}"
    return [f"{folder}/{name}" for name in files.names(folder)]


def _is_cut(path: str) -> bool:
    """Whether a gzipped file ends before its end; never of others, where it cannot be told."""
    if not path.endswith(".gz"):
        return False
    try:
        with files.open_binary(path) as raw, gzip.GzipFile(fileobj=raw) as content:
            while content.read(_PART):
                pass
    except (EOFError, OSError, zlib.error):
        return True
    return False


def _advice(examples: str) -> str:
    return f"remove {examples} and run the pipeline from its first stage: ExampleGen makes it anew"
