"""From TFRecords of raw tf.Examples to batches for training and for validation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from absl import logging

from components.trainer.augment import augment
from components.trainer.settings import Settings
from components.trainer.transform_graph import TransformGraph

_READ_BATCH = 256  # pictures decoded at once
_SHUFFLE = 4096  # encoded pictures shuffled at a time, when streaming
_OPEN_FILES = 16  # read side by side, when streaming


@dataclass(frozen=True)
class Cache:
    """A split in memory, in the order of its files."""

    pixels: tf.Tensor  # uint8 [N, S, S, 3]: a quarter of what normalised pictures take
    labels: tf.Tensor  # int64 [N]
    scale: tf.Tensor  # float32 [3]; pixels * scale + shift are what the Transform graph gave
    shift: tf.Tensor  # float32 [3]


@dataclass(frozen=True)
class Split:
    """One split of the data."""

    files: list[str]  # TFRecords, sorted
    count: int  # pictures
    graph: TransformGraph
    cache: Cache | None  # None: streamed from the files


def open_split(patterns: list[str], graph: TransformGraph, cache_bytes: int) -> Split:
    """The pictures in the files that match `patterns`, decoded into memory if they take at most `cache_bytes`."""
    files = sorted(name for pattern in patterns for name in tf.io.gfile.glob(pattern))
    count = int(_records(files).batch(4096).reduce(np.int64(0), lambda n, batch: n + tf.size(batch, tf.int64)))
    split = Split(files, count, graph, None)
    if decoded_bytes(split) <= cache_bytes:
        split = replace(split, cache=_decode(split))
    logging.info("%d pictures, %s", count, "in memory" if split.cache else "streamed")
    return split


def decoded_bytes(split: Split) -> int:
    """The memory that `split` takes, or would take, as a cache."""
    return split.count * split.graph.size**2 * 3


def training_batches(split: Split, classes: int, settings: Settings) -> tf.data.Dataset:
    """All batches of all epochs, shuffled and augmented.

    Every batch depends on the data, the seed and its own number alone, not on threads.

    Returns:
        pictures, float32 [batch_size, S, S, 3], and one-hot labels, float32 [batch_size, classes];
        `steps_per_epoch(split, settings)` of them an epoch.
    """
    shuffled = _shuffled_in_memory if split.cache else _shuffled_on_disk
    epochs = tf.data.Dataset.range(settings.epochs)
    batches = epochs.flat_map(lambda epoch: shuffled(split, settings, epoch))

    def prepare(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = batch
        seed = tf.stack([tf.constant(settings.seed, tf.int64), step])
        images = augment(images, seed, flip=settings.flip, translate=settings.translate)
        return _normalised(images, split.cache), tf.one_hot(labels, classes)

    return _finished(batches.enumerate().map(prepare, tf.data.AUTOTUNE))


def validation_batches(split: Split, classes: int, settings: Settings) -> tf.data.Dataset:
    """Every picture once, in the order of the files, as `training_batches` gives them; the last batch is smaller."""
    if split.cache:
        pictures = tf.data.Dataset.from_tensor_slices((split.cache.pixels, split.cache.labels))
        batches = pictures.batch(settings.batch_size)
    else:
        batches = _records(split.files).batch(settings.batch_size).map(split.graph.examples, tf.data.AUTOTUNE)
    batches = batches.map(lambda images, labels: (_normalised(images, split.cache), tf.one_hot(labels, classes)))
    # Without this Keras looks for the end by running into it, and complains.
    number = -(-split.count // settings.batch_size)
    return _finished(batches.apply(tf.data.experimental.assert_cardinality(number)))


def steps_per_epoch(split: Split, settings: Settings) -> int:
    """Whole batches in an epoch; each epoch leaves out another remainder."""
    return split.count // settings.batch_size


def _shuffled_in_memory(split: Split, settings: Settings, epoch: tf.Tensor) -> tf.data.Dataset:
    assert split.cache
    pixels, labels = split.cache.pixels, split.cache.labels
    order = tf.random.experimental.stateless_shuffle(tf.range(split.count), _epoch_seed(settings, epoch))
    whole = steps_per_epoch(split, settings) * settings.batch_size
    rows = tf.data.Dataset.from_tensor_slices(tf.reshape(order[:whole], [-1, settings.batch_size]))
    return rows.map(lambda row: (tf.gather(pixels, row), tf.gather(labels, row)), tf.data.AUTOTUNE)


def _shuffled_on_disk(split: Split, settings: Settings, epoch: tf.Tensor) -> tf.data.Dataset:
    seed = _epoch_seed(settings, epoch)
    files = tf.data.Dataset.from_tensor_slices(tf.random.experimental.stateless_shuffle(split.files, seed))
    records = files.interleave(
        _open, cycle_length=min(_OPEN_FILES, len(split.files)), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )

    def shuffle(number: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.stateless_shuffle(window, tf.random.experimental.stateless_fold_in(seed, number))

    records = records.batch(_SHUFFLE).enumerate().map(shuffle).unbatch()
    return records.batch(settings.batch_size, drop_remainder=True).map(split.graph.examples, tf.data.AUTOTUNE)


def _epoch_seed(settings: Settings, epoch: tf.Tensor) -> tf.Tensor:
    return tf.stack([tf.constant(settings.seed, tf.int64), epoch])


def _normalised(images: tf.Tensor, cache: Cache | None) -> tf.Tensor:
    return tf.cast(images, tf.float32) * cache.scale + cache.shift if cache else images


def _decode(split: Split) -> Cache:
    """Runs every picture through the Transform graph, once.

    Raises:
        ValueError: the graph does more than scale and shift each channel, so that uint8 cannot hold what it gives.
    """
    scale, shift = split.graph.scale_and_shift()

    def quantise(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images, labels = split.graph.examples(serialized)
        levels = tf.round((images - shift) / scale)
        error = tf.reduce_max(tf.abs(levels * scale + shift - images))
        return tf.saturate_cast(levels, tf.uint8), labels, error

    pixels = np.empty((split.count, split.graph.size, split.graph.size, 3), np.uint8)
    labels = np.empty(split.count, np.int64)
    row = 0
    batches = _records(split.files).batch(_READ_BATCH).map(quantise, tf.data.AUTOTUNE)
    for some_pixels, some_labels, error in batches.prefetch(tf.data.AUTOTUNE).as_numpy_iterator():
        if not error < 1e-3:
            raise ValueError("Transform no longer scales and shifts each channel: training needs trainer.cache_bytes=0")
        end = row + len(some_labels)
        pixels[row:end], labels[row:end], row = some_pixels, some_labels, end
    with tf.device("/cpu:0"):  # the input pipeline runs on the host, whatever trains
        return Cache(tf.convert_to_tensor(pixels), tf.convert_to_tensor(labels), scale, shift)


def _records(files: list[str]) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(tf.constant(files, tf.string)).flat_map(_open)


def _open(file: tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(file, tf.where(tf.strings.regex_full_match(file, r".*\.gz"), "GZIP", ""))


def _finished(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # Under a strategy each replica takes its part of every batch, not batches of its own.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)
