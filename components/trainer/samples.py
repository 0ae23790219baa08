"""Sample training images beside augmented versions, for people to look at."""

from __future__ import annotations

import os
from collections.abc import Sequence

import tensorflow as tf

from components.contracts import stored
from components.contracts.training import ROWS_FILE, SAMPLES_FILE, SampleRows
from components.trainer.augment import Augmenter
from components.trainer.augment.batch import Batch
from components.trainer.config import Settings
from components.trainer.input import Split

CLASSES, VARIATIONS = 8, 7
SEARCHED = 128  # images looked through for one of each class, at most
SIDE = 64  # pixels, at most, of an image in the file


def write(split: Split, settings: Settings, class_names: Sequence[str], directory: str) -> None:
    """Write SAMPLES_FILE and ROWS_FILE into `directory`: the first image in `split` of each of the first classes."""
    images, labels = _of_classes(split, min(CLASSES, len(class_names)))  # normalised
    columns = [images]  # each [N, S, S, 3]
    count = len(labels)
    one_hot, index = tf.zeros([count, 1]), tf.range(count, dtype=tf.int64)
    black, white = split.shift, 255 * split.scale + split.shift
    augmenter = Augmenter(settings.model_copy(update={"batch_size": count}))
    for variation in range(VARIATIONS):
        epoch = tf.constant(variation, tf.int64)
        batch = Batch(images, one_hot, index, epoch, epoch, black, white)
        columns.append(augmenter.apply(batch, lambda normalised: normalised)[0])
    side = min(settings.size, SIDE)
    rows = tf.concat([tf.image.resize(column, [side, side], antialias=True) for column in columns], axis=2)
    grid = (tf.reshape(rows, [-1, side * len(columns), 3]) - split.shift) / split.scale  # 0 to 255
    encoded = tf.io.encode_png(tf.saturate_cast(tf.round(grid), tf.uint8))
    tf.io.write_file(os.path.join(directory, SAMPLES_FILE), encoded)
    stored.write(SampleRows([class_names[label] for label in labels], side), os.path.join(directory, ROWS_FILE))


def _of_classes(split: Split, classes: int) -> tuple[tf.Tensor, list[int]]:
    """Return the first images of the first `classes` classes, float32 [N, S, S, 3], and their labels.

    Classes without an image among the first SEARCHED are left out; if all are, the first image stands for them.
    """
    records = tf.data.TFRecordDataset(split.files, "GZIP" if split.files[0].endswith(".gz") else "").take(SEARCHED)
    of_label: dict[int, tf.Tensor] = {}
    first: tuple[int, tf.Tensor] | None = None
    for images, labels in records.batch(16).map(split.graph.examples):
        for image, label in zip(images, labels.numpy().tolist()):
            first = first or (label, image)
            if label < classes:
                of_label.setdefault(label, image)
        if len(of_label) == classes:
            break
    if not of_label and first:
        of_label = dict([first])
    found = sorted(of_label)
    return tf.stack([of_label[label] for label in found]), found
