"""The first pass over a unit: every image is decoded once and goes to a shuffle file as an unfinished tf.Example.

It lacks its label: classes and splits can be resolved only after all images were read. A shuffle file holds the
examples in sequence; beside it is an index of their hashes, lengths and groups.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tfx.dsl.io import fileio

from components import progress
from components.contracts import features as f
from components.errors import UserError
from components.example_gen import images, measures
from components.example_gen.formats.base import ClassNames, Group, Record, Unit
from components.example_gen.images import StoredImage
from components.example_gen.rejected import Rejected

_FILE_BYTES = 64 << 20  # of one shuffle file, which the second pass holds in memory
_FLUSH_BYTES = 1 << 18
_BATCH_PIXELS = 2**15  # of the images of one size whose statistics are taken together


DROPPED = -1  # in place of the code of an image that is left out as a copy of another


class Limits(NamedTuple):
    """The largest images that are read, and the largest that are stored; see images.read."""

    max_bytes: int
    max_pixels: int
    max_side: int


class Index(NamedTuple):
    """The hashes and groups of the examples in one shuffle file, in its order."""

    hashes: np.ndarray  # uint64 [N], of the pixels
    lengths: np.ndarray  # int64 [N], bytes
    codes: np.ndarray  # int32 [N], indices into `groups`, or DROPPED
    groups: list[Group]

    def counts(self) -> dict[Group, int]:
        """Return the number of images of each group."""
        codes = self.codes[self.codes != DROPPED]
        return dict(zip(self.groups, np.bincount(codes, minlength=len(self.groups)).tolist()))


class Identity(NamedTuple):
    """The hash of the pixels of an image, which its copies share, and its source, which they do not."""

    pixels_sha256: bytes
    source: str


@dataclass
class UnitResult:
    """The result of the first pass over a unit."""

    paths: list[str] = field(default_factory=list)  # of its shuffle files
    rejected: list[tuple[str, str, Group]] = field(default_factory=list)  # (source, reason, group)
    turned: int = 0  # images that were re-encoded to be upright
    reduced: int = 0  # images that were over the largest side that is stored
    names: list[str] | None = None  # of the classes, where the source's classes are numbers
    error: str | None = None  # of the user's, which ends the run


class _Writer:
    """Writes one shuffle file after the other, as each is filled."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.paths: list[str] = []
        self._start()

    def _start(self) -> None:
        self.rows: list[tuple[int, int, int]] = []
        self.groups: dict[Group, int] = {}
        self.buffer: list[bytes] = []
        self.buffered = self.size = 0
        self.file: Any = None

    def add(self, example: bytes, pixels_hash: int, group: Group) -> None:
        if self.rows and self.size + len(example) > _FILE_BYTES:
            self.close()
        self.rows.append((pixels_hash, len(example), self.groups.setdefault(group, len(self.groups))))
        self.buffer.append(example)
        self.buffered += len(example)
        self.size += len(example)
        if self.buffered >= _FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self.file is None:
            self.paths.append(f"{self.prefix}-{len(self.paths):05d}")
            self.file = fileio.open(self.paths[-1], "wb")
        self.file.write(b"".join(self.buffer))
        self.buffer.clear()
        self.buffered = 0

    def close(self) -> None:
        if not self.rows:
            return
        self._flush()
        self.file.close()
        hashes, lengths, codes = zip(*self.rows)
        index = Index(
            np.array(hashes, np.uint64), np.array(lengths, np.int64), np.array(codes, np.int32), list(self.groups)
        )
        save(self.paths[-1] + ".index", index)
        self._start()


def save(path: str, value: object) -> None:
    with fileio.open(path, "wb") as file:
        file.write(pickle.dumps(value))


def load(path: str) -> Any:
    """Load what `save` wrote into this execution's own scratch folder."""
    with fileio.open(path, "rb") as file:
        return pickle.loads(file.read())


def identities(path: str, rows: Iterable[int]) -> Iterator[Identity]:
    """Read the identities of some examples of the shuffle file at `path`, by their rows, and no others."""
    index: Index = load(path + ".index")
    ends = np.cumsum(index.lengths)
    with fileio.open(path, "rb") as file:
        for row in rows:
            file.seek(int(ends[row] - index.lengths[row]))
            feature = tf.train.Example.FromString(file.read(int(index.lengths[row]))).features.feature
            pixels, source = (feature[name].bytes_list.value[0] for name in (f.PIXELS_SHA256, f.SOURCE))
            yield Identity(pixels, source.decode())


def decode_unit(unit: Unit, prefix: str, limits: Limits) -> UnitResult:
    """Read a unit into shuffle files `<prefix>-…`. A damaged source is reported in the result's `error`."""
    result = UnitResult()
    writers = [_Writer(f"{prefix}-{part:03d}") for part in range(unit.parts)]
    encode = _Encoder()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata
            for batch in _batches(unit, limits, result):
                progress.count(len(batch))
                result.turned += sum(image.turned for _, image in batch)
                result.reduced += sum(image.original_size is not None for _, image in batch)
                values = measures.statistics(np.stack([measures.measured(image.pixels) for _, image in batch]))
                for (record, image), statistics in zip(batch, values.tolist()):
                    digest = hash_of(image.pixels, image.size)
                    pixels_hash = int.from_bytes(digest[:8], "big")
                    writers[pixels_hash * unit.parts >> 64].add(
                        encode(image, record.source, digest, statistics), pixels_hash, record.group
                    )
    except UserError as error:
        result.error = str(error)
    for writer in writers:
        writer.close()
        result.paths.extend(writer.paths)
    return result


def hash_of(pixels: np.ndarray, size: tuple[int, int]) -> bytes:
    """Return the SHA-256 of the size (height, width) of an image as found and its stored pixels uint8 [H, W, 3]."""
    digest = hashlib.sha256(b"%d %d " % size)
    digest.update(pixels.reshape(-1).data)
    return digest.digest()


def _batches(unit: Unit, limits: Limits, result: UnitResult) -> Iterator[list[tuple[Record, StoredImage]]]:
    """Yield the unit's usable images, consecutive ones of one size together; the rest goes to `result`."""
    batch: list[tuple[Record, StoredImage]] = []
    size = None
    for record in unit.read(limits.max_bytes):
        if isinstance(record, ClassNames):
            result.names = record.names
            continue
        content = record.content
        try:
            if isinstance(content, Rejected):
                raise content
            if isinstance(content, bytes):
                image = images.read(content, *limits)
            else:
                image = images.from_pixels(content, limits.max_pixels, limits.max_side)
        except Rejected as rejected:
            result.rejected.append((record.source, rejected.reason, record.group))
            continue
        if batch and (image.pixels.shape != size or len(batch) * size[0] * size[1] >= _BATCH_PIXELS):
            yield batch
            batch = []
        size = image.pixels.shape
        batch.append((record, image))
    if batch:
        yield batch


class _Encoder:
    """Serializes examples that have no label yet. Filling one message again and again takes a fourth of the time."""

    def __init__(self) -> None:
        self.example = tf.train.Example()
        feature = self.example.features.feature
        for name in (f.IMAGE, f.SOURCE, f.PIXELS_SHA256):
            feature[name].bytes_list.value.append(b"")
        for name in (f.HEIGHT, f.WIDTH, f.CHANNELS, f.NUM_BYTES):
            feature[name].int64_list.value.append(0)
        for name in (f.BRIGHTNESS, f.CONTRAST, f.SHARPNESS, f.COLOURFULNESS):
            feature[name].float_list.value.append(0)
        self.strings = {name: feature[name].bytes_list.value for name in feature if feature[name].bytes_list.value}
        self.numbers = {name: feature[name].int64_list.value for name in feature if feature[name].int64_list.value}
        self.reals = {name: feature[name].float_list.value for name in feature if feature[name].float_list.value}

    def __call__(self, image: StoredImage, source: str, digest: bytes, statistics: list[float]) -> bytes:
        strings, numbers, reals = self.strings, self.numbers, self.reals
        strings[f.IMAGE][0] = image.encoded
        strings[f.SOURCE][0] = source.encode()
        strings[f.PIXELS_SHA256][0] = digest.hex().encode()
        numbers[f.HEIGHT][0], numbers[f.WIDTH][0] = image.size
        numbers[f.CHANNELS][0] = image.channels
        numbers[f.NUM_BYTES][0] = len(image.encoded)
        reals[f.BRIGHTNESS][0], reals[f.CONTRAST][0], reals[f.SHARPNESS][0], reals[f.COLOURFULNESS][0] = statistics
        # Concatenated serialized messages are their merged message.
        return self.example.SerializeToString(deterministic=True) + _original(image)


def _original(image: StoredImage) -> bytes:
    """Return an example with what is known of the file alone that was reduced, serialized; b"" if there was none."""
    if not image.original_sha256:
        return b""
    example = tf.train.Example()
    example.features.feature[f.ORIGINAL_SHA256].bytes_list.value.append(image.original_sha256.encode())
    return bytes(example.SerializeToString(deterministic=True))
