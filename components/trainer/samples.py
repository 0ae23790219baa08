"""Sample training images beside augmented versions, for people to look at."""

from __future__ import annotations

import os

import tensorflow as tf

from components.contracts.training import SAMPLES_FILE
from components.trainer.augment import Augmenter
from components.trainer.augment.batch import Batch
from components.trainer.config import Settings
from components.trainer.input import Split

IMAGES, VARIATIONS = 6, 7
SIDE = 64  # pixels, at most, of an image in the file


def write(split: Split, settings: Settings, directory: str) -> None:
    """Write SAMPLES_FILE of the first images of `split` into `directory`."""
    records = tf.data.TFRecordDataset(split.files, "GZIP" if split.files[0].endswith(".gz") else "")
    images, _ = next(iter(records.batch(IMAGES).map(split.graph.examples)))
    columns = [images]  # each [N, S, S, 3], normalised
    count = len(images)
    labels, index = tf.zeros([count, 1]), tf.range(count, dtype=tf.int64)
    black, white = split.shift, 255 * split.scale + split.shift
    augmenter = Augmenter(settings.model_copy(update={"batch_size": count}))
    for variation in range(VARIATIONS):
        epoch = tf.constant(variation, tf.int64)
        batch = Batch(images, labels, index, epoch, epoch, black, white)
        columns.append(augmenter.apply(batch, lambda normalised: normalised)[0])
    side = min(settings.size, SIDE)
    rows = tf.concat([tf.image.resize(column, [side, side], antialias=True) for column in columns], axis=2)
    grid = (tf.reshape(rows, [-1, side * len(columns), 3]) - split.shift) / split.scale  # 0 to 255
    encoded = tf.io.encode_png(tf.saturate_cast(tf.round(grid), tf.uint8))
    tf.io.write_file(os.path.join(directory, SAMPLES_FILE), encoded)
