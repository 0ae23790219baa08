"""A few training pictures and what augmentation makes of them, for people to look at."""

from __future__ import annotations

import os

import tensorflow as tf

from components.trainer.augment import augment
from components.trainer.input import Split
from components.trainer.settings import Settings

SAMPLES_FILE = "augmentation.png"  # a row a picture: itself, then VARIATIONS of it
PICTURES, VARIATIONS = 6, 7
SIDE = 64  # pixels, at most, of a picture in the file


def write(split: Split, settings: Settings, directory: str) -> None:
    """Writes SAMPLES_FILE of the first pictures of `split` into `directory`."""
    records = tf.data.TFRecordDataset(split.files, "GZIP" if split.files[0].endswith(".gz") else "")
    normalised, _ = next(iter(records.batch(PICTURES).map(split.graph.examples)))
    scale, shift = split.graph.scale_and_shift()
    pictures = (normalised - shift) / scale  # [N, S, S, 3], 0 to 255
    columns = [pictures]
    for variation in range(VARIATIONS):
        index, epoch = tf.range(len(pictures), dtype=tf.int64), tf.constant(variation, tf.int64)
        columns.append(augment(pictures, index=index, epoch=epoch, step=epoch, settings=settings))
    side = min(settings.size, SIDE)
    rows = tf.concat([tf.image.resize(column, [side, side], antialias=True) for column in columns], axis=2)
    grid = tf.reshape(rows, [-1, side * len(columns), 3])
    encoded = tf.io.encode_png(tf.saturate_cast(tf.round(grid), tf.uint8))
    tf.io.write_file(os.path.join(directory, SAMPLES_FILE), encoded)
