"""TFRecords of tf.Example with an encoded picture and a label, as others write them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError

from components import files
from components.errors import UserError
from components.example_gen.pictures import Rejected

# The names that are usual (TFDS, TF-Slim, the TensorFlow model garden, this pipeline), tried in this order.
IMAGE_NAMES = ("image", "image/encoded")
CLASS_NAMES = ("class_name", "image/class/text")  # text
LABEL_NAMES = ("label", "image/class/label")  # a number, or text

_BATCH = 16  # records read at once: a step of tf.data costs more than a small record, and photographs are large

UNLABELLED = ""  # stands for the class of a record that has none; such records are rejected


def read(path: str) -> Iterator[tuple[str | int, bytes | Rejected]]:
    """(class, encoded picture) of each record in the file's order. The class is a name, or else a number.

    Raises:
      UserError: the file is damaged or no TFRecord file.
    """
    import tensorflow as tf

    compression = "GZIP" if _is_gzip(path) else ""
    dataset = tf.data.TFRecordDataset(path, compression, buffer_size=8 << 20).batch(_BATCH).prefetch(1)
    example = tf.train.Example()
    try:
        for record in itertools.chain.from_iterable(dataset.as_numpy_iterator()):
            try:
                example.ParseFromString(record)
            except DecodeError:
                yield UNLABELLED, Rejected("not a tf.Example")
                continue
            yield _picture(example.features.feature)
    except tf.errors.OpError as error:
        raise UserError(
            f"{files.text(path)}: damaged, or not TFRecords ({str(error.message).splitlines()[0]}). "
            "Write or download the file anew."
        ) from error


def _picture(features: Any) -> tuple[str | int, bytes | Rejected]:
    class_name: str | int = UNLABELLED
    for name in (*CLASS_NAMES, *LABEL_NAMES):
        if name in features:
            text, numbers = features[name].bytes_list.value, features[name].int64_list.value
            if len(text) == 1 or len(numbers) == 1:
                class_name = files.text(text[0]) if text else numbers[0]
                break
    for name in IMAGE_NAMES:
        if name in features and len(features[name].bytes_list.value) == 1:
            content = features[name].bytes_list.value[0]
            break
    else:
        return class_name, Rejected(f"no encoded picture: none of the features {', '.join(IMAGE_NAMES)} is one string")
    if class_name == UNLABELLED:
        return class_name, Rejected(f"no label: none of {', '.join((*CLASS_NAMES, *LABEL_NAMES))} has one value")
    if isinstance(class_name, int) and class_name < 0:
        return class_name, Rejected(f"no label: {class_name}, which stands for unlabelled")
    return class_name, content


def _is_gzip(path: str) -> bool:
    """By its first bytes, unless they are the length of a first record that fits into the file."""
    with files.open_binary(path) as file:
        head = file.read(8)
    return head[:3] == b"\x1f\x8b\x08" and (path.endswith(".gz") or int.from_bytes(head, "little") > files.size(path))
