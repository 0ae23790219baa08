"""Variations of a batch of training pictures, drawn from the seed, the epoch and the step, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from components.trainer.settings import Settings

Mix = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

WHOLE = slice(None)  # all pictures of a batch
_KNUTH = 2654435761  # spreads neighbouring numbers over all residues


def augment(
    images: tf.Tensor, *, index: tf.Tensor, epoch: tf.Tensor, step: tf.Tensor, settings: Settings, part: slice = WHOLE
) -> tf.Tensor:
    """Each picture mirrored left to right every other epoch, and moved; the border is filled by reflection.

    Half of the pictures begin with their mirror image: in two epochs each is seen both ways, where a coin would show a
    quarter of them the same way twice. Source: cifar10-airbench (Jordan, 2024), 'alternating flip'.

    Args:
      images: [N, S, S, C], any dtype.
      index: int64 [N]; the number of each picture in its split, the same in all epochs.
      epoch: int64 scalar, from 0.
      step: int64 scalar, counted through all epochs; the same seed and step give the same moves on any device.
      settings: `batch_size`, `flip`, `translate` (pixels, at most, up or down and left or right; less than S) and
        `seed` are read.
      part: which N pictures of the batch these are: they move as they would among the others.

    Returns:
      [N, S, S, C], of the dtype of `images`.
    """
    height, width = images.shape[1], images.shape[2]
    move = _whole_numbers(2 * settings.translate + 1, settings.batch_size, settings.seed, step)[:, part]
    move -= settings.translate

    columns = tf.range(width)[None]
    if settings.flip:
        turn = (index * _KNUTH) // 2**16 + tf.cast(epoch, tf.int64) + settings.seed
        columns = tf.where((turn % 2 == 1)[:, None], width - 1 - columns, columns)
    # Where each row and column of the result comes from: move and mirror are one selection of rows, one of columns.
    images = tf.gather(images, _reflect(tf.range(height)[None] + move[0], height), axis=1, batch_dims=1)
    return tf.gather(images, _reflect(columns + move[1], width), axis=2, batch_dims=1)


def cutout(images: tf.Tensor, *, step: tf.Tensor, settings: Settings, part: slice = WHOLE) -> tf.Tensor:
    """A square of each picture blanked: its centre is anywhere, so that a part of it may be outside.

    Source: DeVries and Taylor, 'Improved Regularization of Convolutional Neural Networks with Cutout', 2017.

    Args:
      images: [N, S, S, C], normalised: 0 is the mean colour.
      step: as in `augment`, and `part` too.
      settings: `batch_size`, `cutout` (pixels, the side of the square) and `seed` are read.
    """
    if not settings.cutout:
        return images
    side = images.shape[1]
    # A seed below 0: not the draws of another seed's moves.
    centre = _whole_numbers(side, settings.batch_size, ~settings.seed, step)[:, part]
    first = centre - settings.cutout // 2
    inside = (tf.range(side) >= first) & (tf.range(side) < first + settings.cutout)  # [2, N, S], of rows and of columns
    blank = inside[0, :, :, None, None] & inside[1, :, None, :, None]
    return tf.where(blank, tf.zeros([], images.dtype), images)


def mixing(settings: Settings) -> Mix | None:
    """Mixes each picture with another of its batch, and their labels in the same measure: `mixup` or `cutmix`.

    By Keras' own layers. Sources: Zhang and others, 'mixup: Beyond Empirical Risk Minimization', 2018 (two pictures are
    blended); Yun and others, 'CutMix: Regularization Strategy to Train Strong Classifiers', 2019 (a rectangle of one is
    pasted into another).

    Args:
      settings: `mixup`, `cutmix` and `seed` are read.

    Returns:
      from pictures, float32 [N, S, S, C], labels, float32 [N, K], and the step, as in `augment`, to pictures and
      labels; None where nothing is to be mixed.
    """
    if settings.mixup:
        layer = keras.layers.MixUp(settings.mixup, dtype="float32")
    elif settings.cutmix:
        layer = keras.layers.CutMix(settings.cutmix, dtype="float32")
    else:
        return None

    def mix(images: tf.Tensor, labels: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        drawn = layer.get_random_transformation(images, seed=_Draws(settings.seed, step))
        return layer.transform_images(images, drawn), layer.transform_labels(labels, drawn)

    return mix


class _Draws(keras.random.SeedGenerator):
    """What to draw from, by the seed and the step alone: Keras' own counts the calls, which no checkpoint knows."""

    def __init__(self, seed: int, step: tf.Tensor) -> None:
        self._first, self._drawn = tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)]), 0

    def next(self, ordered: Any = True) -> tf.Tensor:
        self._drawn += 1
        return tf.random.experimental.stateless_fold_in(self._first, self._drawn)


def _whole_numbers(below: int, batch_size: int, seed: int, step: tf.Tensor) -> tf.Tensor:
    """int32 [2, batch_size, 1], from 0, one in each direction for each picture."""
    seeds = tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])
    draws = tf.random.stateless_uniform([2, batch_size, 1], seeds, alg="philox")  # the same on every device
    return tf.cast(tf.floor(draws * below), tf.int32)


def _reflect(index: tf.Tensor, size: int) -> tf.Tensor:
    """Indices beyond the border, mirrored at it: -1 is 1, and `size` is `size` - 2."""
    return size - 1 - tf.abs(size - 1 - tf.abs(index))
