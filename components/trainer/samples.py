"""A few training pictures and what augmentation makes of them, for people to look at."""

from __future__ import annotations

import dataclasses
import os

import tensorflow as tf

from components.contracts.training import SAMPLES_FILE
from components.trainer.augment import augment, cutout, mixing
from components.trainer.input import Split
from components.trainer.settings import Settings

PICTURES, VARIATIONS = 6, 7
SIDE = 64  # pixels, at most, of a picture in the file


def write(split: Split, settings: Settings, directory: str) -> None:
    """Writes SAMPLES_FILE of the first pictures of `split` into `directory`."""
    records = tf.data.TFRecordDataset(split.files, "GZIP" if split.files[0].endswith(".gz") else "")
    pictures, _ = next(iter(records.batch(PICTURES).map(split.graph.examples)))
    columns = [pictures]  # each [N, S, S, 3], normalised
    settings = dataclasses.replace(settings, batch_size=len(pictures))
    mix = mixing(settings)
    for variation in range(VARIATIONS):
        index, epoch = tf.range(len(pictures), dtype=tf.int64), tf.constant(variation, tf.int64)
        varied = augment(pictures, index=index, epoch=epoch, step=epoch, settings=settings)
        varied = cutout(varied, step=epoch, settings=settings)
        columns.append(mix(varied, tf.zeros([len(pictures), 1]), epoch)[0] if mix else varied)
    scale, shift = split.graph.scale_and_shift()
    side = min(settings.size, SIDE)
    rows = tf.concat([tf.image.resize(column, [side, side], antialias=True) for column in columns], axis=2)
    grid = (tf.reshape(rows, [-1, side * len(columns), 3]) - shift) / scale  # 0 to 255
    encoded = tf.io.encode_png(tf.saturate_cast(tf.round(grid), tf.uint8))
    tf.io.write_file(os.path.join(directory, SAMPLES_FILE), encoded)
