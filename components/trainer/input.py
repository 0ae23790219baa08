"""The input pipeline: TFRecords of raw tf.Examples to batches for training and validation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from absl import logging

from components.contracts import counts
from components.trainer.augment import Augmenter
from components.trainer.augment.batch import FULL_BATCH, Batch, along_row
from components.trainer.config import Settings
from components.trainer.plan import Plan
from components.trainer.transform_graph import TransformGraph

_READ_BATCH = 256  # images decoded at once, for the cache
_SHUFFLE = 4096  # encoded images shuffled at a time, when streaming
_OPEN_FILES = 16  # read side by side, when streaming


@dataclass(frozen=True)
class Cache:
    """A split in memory, in the order of its files."""

    pixels: tf.Tensor  # uint8 [N, S, S, 3]: a quarter of what normalised images take
    labels: tf.Tensor  # int64 [N]


@dataclass(frozen=True)
class Split:
    """One split of the data."""

    files: list[str]  # TFRecords, sorted
    counts: list[int]  # images in each of them
    graph: TransformGraph
    scale: tf.Tensor  # float32 [3]; levels from 0 to 255 * scale + shift are what the graph gives
    shift: tf.Tensor  # float32 [3]
    cache: Cache | None = None  # None: streamed from the files

    @property
    def count(self) -> int:
        """The number of images. Each has a number, from 0, in the order of the files."""
        return sum(self.counts)


def open_split(patterns: list[str], graph: TransformGraph, cache_bytes: int) -> Split:
    """Open the images in the files that match `patterns`, decoded into memory if they take at most `cache_bytes`."""
    files = sorted(name for pattern in patterns for name in tf.io.gfile.glob(pattern))
    split = Split(files, [counts.of_file(file) for file in files], graph, *graph.scale_and_shift())
    if decoded_bytes(split) <= cache_bytes:
        split = replace(split, cache=_build_cache(split))
    logging.info("%d images, %s", split.count, "in memory" if split.cache else "streamed")
    return split


def decoded_bytes(split: Split) -> int:
    """Return the bytes that `split` takes, or would take, as a cache."""
    return split.count * split.graph.size**2 * 3


def training_batches(split: Split, plan: Plan, first_step: int = 0, part: slice = FULL_BATCH) -> tf.data.Dataset:
    """Return all batches of all epochs from `first_step` on, shuffled and augmented: the images of `part` of each.

    Every batch depends on the data, the seed and its own number alone, not on threads nor on where it began.

    Returns:
      images, float32 [N, S, S, 3], and labels, float32 [N, classes], one-hot or mixed, the N of batch_size that `part`
      has; `plan.steps` of them an epoch.
    """
    settings, steps = plan.settings, plan.steps
    first_epoch, skipped = divmod(first_step, steps)
    shuffled = _shuffled_in_memory if split.cache else _shuffled_on_disk
    augmenter = Augmenter(settings, part)
    needed = augmenter.needed

    def of_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        skip = tf.where(epoch == first_epoch, tf.constant(skipped, tf.int64), 0)
        return shuffled(split, plan, needed, epoch, skip)

    def augment(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        images, numbers, index = _static_shapes(batch, settings, needed)
        labels = tf.one_hot(numbers, plan.classes)
        black, white = split.shift, 255 * split.scale + split.shift
        batch_of_step = Batch(images, labels, index, step // steps, step, black, white, needed)
        return augmenter.apply(batch_of_step, lambda images: _normalised(images, split))

    batches = tf.data.Dataset.range(first_epoch, settings.epochs).flat_map(of_epoch)
    return _with_options(batches.enumerate(first_step).map(augment, tf.data.AUTOTUNE))


def validation_batches(split: Split, plan: Plan, part: slice = FULL_BATCH) -> tf.data.Dataset:
    """Return every image once, in the order of the files, in batches of one shape: the last one is padded.

    Returns:
      images and labels as `training_batches` has them, and weights, float32 [N]: 0 for what fills up.
    """
    settings, size = plan.settings, plan.settings.batch_size
    number = -(-split.count // size)
    more = number * size - split.count
    if split.cache:
        rows = tf.data.Dataset.range(number * size).batch(size, drop_remainder=True)
        batches = rows.map(lambda row: _gather(split, row[part] % split.count), tf.data.AUTOTUNE)
    else:
        records = _records(split.files)
        records = records.concatenate(records.take(1).repeat(more)) if more else records
        batches = records.batch(size, drop_remainder=True)
        batches = batches.map(lambda serialized: split.graph.examples(serialized[part]), tf.data.AUTOTUNE)

    def weigh(number: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images, labels = _static_shapes(batch, settings, part)
        place = number * size + tf.range(size, dtype=tf.int64)[part]
        weights = tf.cast(place < split.count, tf.float32)
        return _normalised(images, split), tf.one_hot(labels, plan.classes), weights

    return _with_options(batches.enumerate().map(weigh, tf.data.AUTOTUNE))


def _shuffled_in_memory(split: Split, plan: Plan, part: slice, epoch: tf.Tensor, skipped: tf.Tensor) -> tf.data.Dataset:
    numbers = tf.range(split.count, dtype=tf.int64)
    order = tf.random.experimental.stateless_shuffle(numbers, _epoch_seed(plan.settings, epoch))
    batch_size = plan.settings.batch_size
    batches = tf.reshape(order[: plan.steps * batch_size], [-1, batch_size])
    rows = tf.data.Dataset.from_tensor_slices(batches[:, part]).skip(skipped)
    return rows.map(lambda row: (*_gather(split, row), row), tf.data.AUTOTUNE)


def _gather(split: Split, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    assert split.cache
    return tf.gather(split.cache.pixels, rows), tf.gather(split.cache.labels, rows)


def _shuffled_on_disk(split: Split, plan: Plan, part: slice, epoch: tf.Tensor, skipped: tf.Tensor) -> tf.data.Dataset:
    seed = _epoch_seed(plan.settings, epoch)
    order = tf.random.experimental.stateless_shuffle(tf.range(len(split.files)), seed)
    names = tf.constant(split.files)
    first_numbers = tf.cumsum(tf.constant(split.counts, tf.int64), exclusive=True)

    def numbered(file: tf.Tensor) -> tf.data.Dataset:
        return _open(names[file]).enumerate(first_numbers[file])

    # Several files are read side by side, each ahead of its turn, and mixed in a fixed order.
    files = tf.data.Dataset.from_tensor_slices(order)
    records = files.interleave(
        numbered, min(_OPEN_FILES, len(split.files)), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )

    def shuffle(window: tf.Tensor, records: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        window_seed = tf.random.experimental.stateless_fold_in(seed, window)
        places = tf.random.experimental.stateless_shuffle(tf.range(tf.size(records[0])), window_seed)
        return tf.gather(records[0], places), tf.gather(records[1], places)

    records = records.batch(_SHUFFLE).enumerate().map(shuffle)
    batches = records.rebatch(plan.settings.batch_size, drop_remainder=True).skip(skipped)

    def decode(index: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return *split.graph.examples(serialized[part]), index[part]

    return batches.map(decode, tf.data.AUTOTUNE)


def _epoch_seed(settings: Settings, epoch: tf.Tensor) -> tf.Tensor:
    return tf.stack([tf.constant(settings.seed, tf.int64), epoch])


def _static_shapes(batch: tuple[tf.Tensor, ...], settings: Settings, part: slice) -> tuple[tf.Tensor, ...]:
    """Return `batch` with its static batch size, which XLA needs and the Transform graph loses."""
    size = len(range(settings.batch_size)[part])
    return tuple(tf.ensure_shape(values, [size, *values.shape[1:]]) for values in batch)


def _normalised(images: tf.Tensor, split: Split) -> tf.Tensor:
    if not split.cache:
        return images
    count, height, width, channels = images.shape
    rows = tf.reshape(tf.cast(images, tf.float32), [count, height, width * channels])
    return tf.reshape(rows * along_row(split.scale, width) + along_row(split.shift, width), images.shape)


def _build_cache(split: Split) -> Cache:
    """Run every image through the Transform graph, once.

    Raises:
      ValueError: the graph does more than scale and shift each channel, so that uint8 cannot hold what it gives.
    """

    def quantise(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images, labels = split.graph.examples(serialized)
        levels = tf.round((images - split.shift) / split.scale)
        error = tf.reduce_max(tf.abs(levels * split.scale + split.shift - images))
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
        return Cache(tf.convert_to_tensor(pixels), tf.convert_to_tensor(labels))


def _records(files: list[str]) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(tf.constant(files, tf.string)).flat_map(_open)


def _open(file: tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(file, tf.where(tf.strings.regex_full_match(file, r".*\.gz"), "GZIP", ""))


def _with_options(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # Under a strategy each worker asks for its part of every batch, not for batches of its own.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)
