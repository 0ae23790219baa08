"""The record counts of an Examples artifact, and the check that it still has them all.

TensorFlow reads a truncated gzipped file as a short one, without an error. Every stage that reads examples compares
what it read with what ExampleGen counted.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from components import files
from components.contracts import stored
from components.errors import Damaged

COUNTS_FILE = "counts.json"  # at the root of the artifact, beside the splits' folders: a Counts

_THREADS = 8  # files read side by side
_PART = 1 << 24  # bytes read at a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counts:
    """The numbers of images that ExampleGen read.

    Attributes:
      source: where the images came from, in words.
      class_names: sorted, in the order of the labels.
      splits: images by split and class.
      rejected: images that were left out.
      dropped: those of them that were left out as copies of others, by the kind of finding that they would have been.
      ignored: files that are no images.
      notes: lines on how the source was interpreted.
      reoriented: images that were re-encoded to be upright, as their EXIF orientation says.
      reduced: images that were larger than what is stored (data.max_side).
    """

    source: str = ""
    class_names: list[str]
    splits: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    rejected: int = 0
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)
    ignored: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)
    reoriented: int = 0
    reduced: int = 0

    def of_split(self, split: str) -> int:
        """Return the number of images of a split."""
        return sum(self.splits.get(split, {}).values())

    def of_class(self, split: str, name: str) -> int:
        """Return the number of images of a class in a split."""
        return self.splits.get(split, {}).get(name, 0)

    @property
    def images(self) -> int:
        """The images of all splits."""
        return sum(map(self.of_split, self.splits))

    def totals(self) -> dict[str, int]:
        """Return the images of each split, and those that were rejected."""
        return {split: self.of_split(split) for split in self.splits} | {"rejected": self.rejected}


def read(examples: str) -> Counts:
    """Read the counts of the artifact at `examples`.

    Raises:
      OSError: there are none.
      ValueError: they are damaged.
    """
    return stored.read(Counts, f"{examples}/{COUNTS_FILE}")


def write(examples: str, counts: Counts) -> None:
    """Write the counts into the artifact at `examples`."""
    stored.write(counts, f"{examples}/{COUNTS_FILE}")


def check(examples: str, records: Mapping[str, int]) -> None:
    """Compare the number of records that were read of each split with the counts.

    Args:
      examples: root of the artifact.
      records: read, by split.

    Raises:
      Damaged: they differ.
    """
    path = f"{examples}/{COUNTS_FILE}"
    if not files.exists(path):
        raise Damaged(f"{path} is missing; {_advice(examples)}")
    try:
        splits = json.loads(files.read_bytes(path)).get("splits", {})
    except (ValueError, AttributeError):
        raise Damaged(f"{path} cannot be read; {_advice(examples)}") from None
    for split, number in records.items():
        counted = sum(splits[split].values()) if split in splits else number
        if number != counted:
            cut = [name for name in split_files(examples, split) if _is_cut(name)]
            cut_files = f" ({', '.join(os.path.basename(name) for name in cut[:3])} was cut short)" if cut else ""
            raise Damaged(
                f"split {split} of {examples} is damaged: {number:,} of {counted:,} records are left{cut_files}; "
                f"{_advice(examples)}"
            )


def verify(examples: str, splits: Iterable[str]) -> None:
    """Check splits as `check` does, for a caller that does not count records itself: files are read, not decoded.

    Raises:
      Damaged: a split has other records than were counted.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        check(examples, {split: sum(pool.map(of_file, split_files(examples, split))) for split in splits})


def of_file(path: str) -> int:
    """Count the records of a TFRecord file of an artifact.

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
        why = re.sub(r"\{\{.*?\}\} |\s*\[Op:.*", "", files.error_reason(error))  # the names of nodes of a graph
        raise Damaged(f"{path} is damaged: {why}; {advice}") from None


def split_files(examples: str, split: str) -> list[str]:
    """Return the TFRecord files of a split, sorted."""
    folder = f"{examples}/Split-{split}"
    return [f"{folder}/{name}" for name in files.names(folder)]


def _is_cut(path: str) -> bool:
    """Return True if a gzipped file is truncated; False for other files, where that cannot be detected."""
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
    return f"remove {examples} and run the pipeline from its first stage: ExampleGen makes it again"
