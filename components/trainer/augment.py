"""Random variations of a batch of training pictures, drawn from a seed and nothing else."""

from __future__ import annotations

import tensorflow as tf

from components.trainer.settings import Settings


def augment(images: tf.Tensor, *, index: tf.Tensor, epoch: tf.Tensor, step: tf.Tensor, settings: Settings) -> tf.Tensor:
    """Each picture mirrored left to right with probability 1/2, and moved; the border is filled by reflection.

    Args:
        images: [N, H, W, C], any dtype; H and W must be greater than `settings.translate`.
        index: int64 [N]; the number of each picture in its split, the same in all epochs.
        epoch: int64 scalar, from 0.
        step: int64 scalar, counted through all epochs; the same seed and step give the same draws, on any device.
        settings: `flip`, `translate` (pixels, at most, up or down and left or right) and `seed` are read.

    Returns:
        [N, H, W, C], of the dtype of `images`.
    """
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    seed = tf.stack([tf.constant(settings.seed, tf.int64), tf.cast(step, tf.int64)])
    translate = settings.translate
    draws = tf.random.stateless_uniform([3, count, 1], seed, alg="philox")  # the same on every device
    move = tf.cast(tf.floor(draws[:2] * (2 * translate + 1)), tf.int32) - translate

    columns = tf.range(width)[None]
    if settings.flip:
        columns = tf.where(draws[2] < 0.5, width - 1 - columns, columns)
    # Where each row and column of the result comes from: move and mirror are one selection of rows, one of columns.
    images = tf.gather(images, _reflect(tf.range(height)[None] + move[0], height), axis=1, batch_dims=1)
    return tf.gather(images, _reflect(columns + move[1], width), axis=2, batch_dims=1)


def _reflect(index: tf.Tensor, size: int) -> tf.Tensor:
    """Indices beyond the border, mirrored at it: -1 is 1, and `size` is `size` - 2."""
    return size - 1 - tf.abs(size - 1 - tf.abs(index))
