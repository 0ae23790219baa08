"""A batch of training images, and the random numbers that its augmentation is drawn from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

FULL_BATCH = slice(None)  # all images of a batch


@dataclass(frozen=True)
class Batch:
    """Images of one step, and what a variation of them may depend on besides the settings."""

    images: tf.Tensor  # [N, S, S, C]
    labels: tf.Tensor  # float32 [N, K], one-hot
    index: tf.Tensor  # int64 [N]; the number of each image in its split, the same in all epochs
    epoch: tf.Tensor  # int64 scalar, from 0
    step: tf.Tensor  # int64 scalar, counted through all epochs
    black: tf.Tensor  # float32 [C]; the darkest level of each channel, normalised
    white: tf.Tensor  # float32 [C]; the brightest
    part: slice = FULL_BATCH  # which N images of the batch these are: their augmentation does not depend on N


Change = Callable[[Batch], Batch]


class Boxes(NamedTuple):
    """A rectangle for each image, in shares of its sides: float32 [batch_size] each."""

    top: tf.Tensor
    left: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor


def pixels(length: int | float, side: int) -> int:
    """Return a length of the configuration in pixels: below 1 it is a share of the side."""
    return int(length) if length >= 1 else round(length * side)


def along_row(values: tf.Tensor, width: int) -> tf.Tensor:
    """Return a value for each channel, [C], as one for each of a row of pixels, [width * C].

    Arithmetic of images, [N, S, S * C], with these takes half the time of [N, S, S, C] with those.
    """
    return tf.tile(values, [width])


def whole_numbers(below: int, batch_size: int, seed: int, step: tf.Tensor) -> tf.Tensor:
    """Draw int32 [2, batch_size, 1], from 0, one in each direction for each image."""
    draws = tf.random.stateless_uniform([2, batch_size, 1], _seeds(seed, step), alg="philox")  # alike on every device
    return tf.cast(tf.floor(draws * below), tf.int32)


def uniform(count: int, batch_size: int, seed: int, step: tf.Tensor, purpose: int) -> list[tf.Tensor]:
    """Draw `count` times a number of [0, 1) for each image, float32 [batch_size]; other ones for each purpose.

    What is computed of them must be cut to the part of a batch last: of a part of a vector, TensorFlow's logarithm and
    its like may give another last bit.
    """
    seeds = tf.random.experimental.stateless_fold_in(_seeds(seed, step), purpose)
    return tf.unstack(tf.random.stateless_uniform([count, batch_size], seeds, alg="philox"))


def boxes(draws: list[tf.Tensor], area: tuple[float, float], aspect: float) -> Boxes:
    """Return rectangles inside the images from four numbers of [0, 1) for each image.

    Args:
      draws: they decide on area, aspect ratio, and place.
      area: the least and the largest share of the image.
      aspect: the largest aspect ratio, of width to height or the other way round; less where the area leaves less.
    """
    share = area[0] + draws[0] * (area[1] - area[0])
    ratio = tf.exp((2 * draws[1] - 1) * tf.minimum(math.log(aspect), -tf.math.log(share)))
    height, width = tf.sqrt(share / ratio), tf.sqrt(share * ratio)
    return Boxes(draws[2] * (1 - height), draws[3] * (1 - width), height, width)


def _seeds(seed: int, step: tf.Tensor) -> tf.Tensor:
    return tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])
