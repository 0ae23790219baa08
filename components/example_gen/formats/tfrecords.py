"""TFRecords of tf.Example with an encoded image and a label, as others write them: a file, a folder or a pattern.

A unit is a file; the names of files and folders give the splits (split_names.py). `<label>.labels.txt` beside them, as
TensorFlow Datasets writes it, names the classes of the numbers in the feature `<label>`.
"""

from __future__ import annotations

import gzip
import itertools
import math
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from components import file_names, files
from components.errors import UserError
from components.example_gen import split_names
from components.example_gen.archives import file_types
from components.example_gen.formats.base import (
    USUAL,
    ClassNames,
    Features,
    Format,
    Inventory,
    Listing,
    Record,
    parts_of,
)
from components.example_gen.layout import SplitAndClass
from components.example_gen.rejected import Rejected
from components.text import printable

# The names that are usual (TFDS, TF-Slim, the TensorFlow model garden, Kaggle, this pipeline), tried in this order.
IMAGE_NAMES = ("image", "image/encoded", "image_raw")
CLASS_NAMES = ("class_name", "image/class/text")  # text
LABEL_NAMES = ("label", "image/class/label", "class")  # a number, or text

_BATCH = 16  # records read at once: a step of tf.data costs more than a small record, and photographs are large
_BLOCK = 1 << 20  # bytes
_LISTED = 12  # features named in a reason
_FEATURES_FILE = "features.json"  # in each folder that TensorFlow Datasets prepared

UNLABELLED = ""  # stands for the class of a record that has none; such records are rejected

# How files of images begin; anything else may be pixels as they are.
_ENCODED = re.compile(rb"\xff[\xd8O]|\x89PNG|GIF8|BM|RIFF|II\*\0|MM\0\*|P[1-7]\s|....(ftyp|jP  )", re.DOTALL)


def _is_file(path: str) -> bool:
    return file_names.is_records(path) and file_types.archive_type(path) is None


def _inventory(listing: Listing, features: Features) -> Inventory:
    names = listing.data
    splits = split_names.of_files(names, files.text(listing.path))
    shards = {name: listing.path_of(name) for name in names}
    labels = _labels_file(listing, features)
    names_of_classes = _lines(labels) if labels else []
    units = [
        _Unit(name, path, splits[name], parts_of(files.size(path)), features, names_of_classes)
        for name, path in shards.items()
    ]
    read = [os.path.basename(labels)] if labels else []
    ignored = [name for name in listing.ignored if os.path.basename(name) not in read]
    notes = [f"the classes are named by {files.text(name)}" for name in read]
    return Inventory(units, ignored=ignored, notes=[*_incomplete(shards), *notes])


def _labels_file(listing: Listing, features: Features) -> str | None:
    """Return the path of the file that names the classes; None if there is none.

    Raises:
      UserError: several data sets are prepared there, such as two versions of one.
    """
    folders = sorted({os.path.dirname(listing.path_of(name)) for name in listing.data})
    prepared = [folder for folder in folders if files.exists(os.path.join(folder, _FEATURES_FILE))]
    if len(prepared) > 1:
        raise UserError(
            f"{files.text(listing.path)}: {len(prepared)} prepared data sets are in it ({files.listed(prepared)}). "
            "Give one of these folders."
        )
    wanted = [name.replace("/", "-") for name in ((features.label,) if features.label else LABEL_NAMES)]
    paths = (os.path.join(folder, f"{name}.labels.txt") for name in wanted for folder in folders)
    return next(filter(files.exists, paths), None)


def _lines(path: str) -> list[str]:
    return [files.text(line.strip()) for line in files.read_bytes(path).splitlines() if line.strip()]


def _referenced(listing: Listing, features: Features) -> dict[str, str]:
    path = _labels_file(listing, features)
    return {} if path is None or listing.is_folder else {os.path.basename(path): path}


@dataclass(frozen=True)
class _Unit:
    name: str
    path: str
    split: str | None
    parts: int
    features: Features
    class_names: list[str]  # by label; empty where nothing names them

    def read(self, max_bytes: int) -> Iterator[Record | ClassNames]:
        del max_bytes  # the records are in memory before their images' sizes are known
        if self.class_names:
            yield ClassNames(self.class_names)
        for row, (class_name, content) in enumerate(read(self.path, self.features)):
            yield Record(f"{files.text(self.name)}:{row}", SplitAndClass(self.split, class_name), content)


def read(path: str, features: Features = USUAL) -> Iterator[tuple[str | int, bytes | np.ndarray | Rejected]]:
    """Yield (class, encoded image or pixels) of each record in the file's order. The class is a name, or else a number.

    Raises:
      UserError: the file is damaged or no TFRecord file.
    """
    import tensorflow as tf

    compression = "GZIP" if _is_gzip(path) else ""
    if compression:
        _check_whole(path)
    dataset = tf.data.TFRecordDataset(path, compression, buffer_size=8 << 20).batch(_BATCH).prefetch(1)
    example = tf.train.Example()
    row = 0
    try:
        for record in itertools.chain.from_iterable(dataset.as_numpy_iterator()):
            row += 1
            try:
                example.ParseFromString(record)
            except DecodeError:
                yield UNLABELLED, Rejected("not a tf.Example")
                continue
            yield _class_and_image(example.features.feature, features)
    except tf.errors.OpError as error:
        raise UserError(
            f"{files.text(path)}: damaged, or not TFRecords ({_damage(str(error.message), row)}). "
            "Write or download the file again."
        ) from error


def _check_whole(path: str) -> None:
    """Raise UserError if a gzip is truncated: TensorFlow does not notice if it ends after a record."""
    try:
        with files.open_binary(path) as file, gzip.open(file) as stream:
            while stream.read(_BLOCK):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{files.text(path)}: damaged, or not TFRecords ({error}). Write or download the file again."
        ) from error


def _damage(message: str, row: int) -> str:
    """Return TensorFlow's message about the file in words, without the names of its nodes."""
    line = re.sub(r"\{\{[^}]*\}\}|\[Op:[^\]]*\]", "", message.splitlines()[0]).strip()
    place = re.search(r"at (?:byte )?(\d+)", line)
    if not place:
        return line
    if not int(place[1]) and "truncated" not in line:
        return "its first record is none; of compressed ones, only those by gzip are read"
    damage = "a record ends early" if "truncated" in line else "a record does not match its checksum"
    after = f", after {row:,} or more good ones" if row else ""
    return f"{damage} at byte {int(place[1]):,}{after}"


def _incomplete(paths: Mapping[str, str]) -> Iterator[str]:
    """Yield a line on files without a record, and one on missing shards; `paths` is {name: path}."""
    if empty := [name for name, path in paths.items() if not files.size(path)]:
        yield f"{len(empty):,} of {len(paths):,} TFRecord files hold nothing at all ({files.listed(empty)})"
    yield from split_names.missing_shards(list(paths))


def _class_and_image(record: Any, features: Features) -> tuple[str | int, bytes | np.ndarray | Rejected]:
    class_name: str | int = UNLABELLED
    label_names = (features.label,) if features.label else (*CLASS_NAMES, *LABEL_NAMES)
    for name in label_names:
        if name in record:
            text, numbers = record[name].bytes_list.value, record[name].int64_list.value
            if (len(text) == 1 and text[0]) or len(numbers) == 1:
                class_name = files.text(text[0]) if text else numbers[0]
                break
    image_names = (features.image,) if features.image else IMAGE_NAMES
    for name in image_names:
        if name in record and len(record[name].bytes_list.value) == 1:
            content = _decoded(record[name].bytes_list.value[0], record)
            break
    else:
        return class_name, Rejected(f"no image in {_one_of(image_names)}: {_present_features(record, 'image')}")
    if class_name == UNLABELLED:
        present = _present_features(record, "label")
        return class_name, Rejected(f"no label, text or a whole number, in {_one_of(label_names)}: {present}")
    if isinstance(class_name, int) and class_name < 0:
        return class_name, Rejected(f"no label: {class_name}, which stands for unlabelled")
    return class_name, content


def _one_of(names: Sequence[str]) -> str:
    return f"the feature {names[0]}" if len(names) == 1 else f"any of {', '.join(names)}"


def _present_features(record: Any, feature: str) -> str:
    """Return the features of a record with their types, and the setting that names the one that is wanted."""
    texts = []
    for name in sorted(record)[:_LISTED]:
        kind = record[name].WhichOneof("kind")
        count = len(getattr(record[name], kind).value) if kind else 0
        of = {"bytes_list": "bytes", "int64_list": "int64", "float_list": "float"}.get(kind or "", "empty")
        texts.append(f"{printable(name)} ({of if count == 1 else f'{count:,} x {of}' if count else 'empty'})")
    more = ", ..." if len(record) > _LISTED else ""
    return f"the record has {', '.join(texts) or 'no features'}{more}; name it by data.features.{feature}"


def _decoded(content: bytes, record: Any) -> bytes | np.ndarray | Rejected:
    """Return an image's file as it is, or pixels without an encoding where the record tells their height and width."""
    if _ENCODED.match(content):
        return content
    height, width, depth = (
        next(
            (record[name].int64_list.value[0] for name in names if name in record and record[name].int64_list.value), 0
        )
        for names in (("height", "image/height"), ("width", "image/width"), ("depth", "channels", "image/channels"))
    )
    if height > 0 and width > 0 and len(content) == height * width * (depth or 3) and depth in (0, 1, 3):
        pixels = np.frombuffer(content, np.uint8).reshape(height, width, -1)
        return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    side = math.isqrt(len(content) // 3)
    if side >= 8 and side * side * 3 == len(content):
        return Rejected(
            f"not an encoded image, perhaps the pixels of {side} x {side} x 3: "
            "those are read if the features height, width and depth give their shape"
        )
    return content


def _is_gzip(path: str) -> bool:
    """Return True if a file is gzip: its first bytes say so and are not the length of a record that fits."""
    with files.open_binary(path) as file:
        head = file.read(8)
    return head[:3] == b"\x1f\x8b\x08" and (path.endswith(".gz") or int.from_bytes(head, "little") > files.size(path))


FORMAT = Format(
    "tfrecords",
    "TFRecords (*.tfrecord*)",
    _inventory,
    is_named=file_names.is_records,
    is_file=_is_file,
    file="TFRecord file",
    several="TFRecords",
    referenced=_referenced,
)
