"""Random variations of a batch of training pictures, drawn from a seed and nothing else."""

from __future__ import annotations

import tensorflow as tf


def augment(images: tf.Tensor, seed: tf.Tensor, *, flip: bool, translate: int) -> tf.Tensor:
    """Each picture mirrored left to right with probability 1/2, and moved; the border is filled by reflection.

    Args:
        images: [N, H, W, C], any dtype; H and W must be greater than `translate`.
        seed: integer [2]; the same seed gives the same pictures, on any device and with any number of threads.
        flip: whether to mirror.
        translate: pixels, at most, up or down and left or right; 0 for none.

    Returns:
        [N, H, W, C], of the dtype of `images`.
    """
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    draws = tf.random.stateless_uniform([3, count, 1], seed, alg="philox")  # the same on every device
    move = tf.cast(tf.floor(draws[:2] * (2 * translate + 1)), tf.int32) - translate

    columns = tf.range(width)[None]
    if flip:
        columns = tf.where(draws[2] < 0.5, width - 1 - columns, columns)
    # Where each row and column of the result comes from: move and mirror are one selection of rows, one of columns.
    images = tf.gather(images, _reflect(tf.range(height)[None] + move[0], height), axis=1, batch_dims=1)
    return tf.gather(images, _reflect(columns + move[1], width), axis=2, batch_dims=1)


def _reflect(index: tf.Tensor, size: int) -> tf.Tensor:
    """Indices beyond the border, mirrored at it: -1 is 1, and `size` is `size` - 2."""
    return size - 1 - tf.abs(size - 1 - tf.abs(index))
