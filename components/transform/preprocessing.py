"""The preprocessing graph, from an encoded image to the model's input: one for training, evaluation and serving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.contracts import features as f

_GREY_LEVEL = 1 / 255  # the least standard deviation: a channel that is constant on train stays finite
_BAR = 127  # the level beside an image that is padded: neither dark nor bright, and no colour
# Where images are decoded and resized, one by one: on a GPU that is many times slower, an image a few small operations.
_HOST = "/cpu:0"


def preprocessing_fn(inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Decode, resize and normalise.

    Args:
      inputs: the raw features; only `image` (string [N] or [N, 1]) and `label` (int64, likewise) are read.
      custom_config: the section `transform` of the configuration, `size` and `fit`, and `pixels`: the mean and
        deviation, from 0 to 255, each a number or one for each channel, that the weights of a pretrained network
        expect; None: those of each channel over the analysed split.

    Returns:
      `image`: float32 [N, S, S, 3]; mean 0 and variance 1 per channel over the analysed images where `pixels` is None.
      `label`: int64 [N].
    """
    size, fit = int(custom_config["size"]), str(custom_config["fit"])
    encoded = tf.reshape(inputs[f.IMAGE], [-1])
    if custom_config.get("pixels"):
        mean, deviation = (tf.constant(np.divide(level, 255), tf.float32) for level in custom_config["pixels"])
    else:
        mean, deviation = _analysed(encoded, size, fit)
    return {
        f.IMAGE: (tf.cast(_pixels(encoded, size, fit), tf.float32) / 255 - mean) / deviation,
        f.LABEL: tf.cast(tf.reshape(inputs[f.LABEL], [-1]), tf.int64),
    }


def _analysed(encoded: tf.Tensor, size: int, fit: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and standard deviation of each channel over the analysed split, float32 [3], of 0 to 1."""
    # Sums of whole numbers are exact, in whatever batches and order Beam adds them: the same data gives the same model.
    sums = tft.sum(_sums(encoded, size, fit), reduce_instance_dims=False)
    count, total, squares = tf.split(tf.cast(sums, tf.float64), [1, 3, 3])
    mean = total / count / 255
    variance = tf.maximum(squares / count / 255**2 - mean**2, _GREY_LEVEL**2)
    deviation = tf.sqrt(variance)
    return tf.cast(mean, tf.float32), tf.cast(deviation, tf.float32)


def decode(encoded: tf.Tensor, size: int, fit: str = "squash") -> tf.Tensor:
    """Return the image in `encoded` (string, scalar; JPEG, PNG, BMP or GIF's first frame) as uint8 [size, size, 3].

    Images of another size are resized with antialiasing.

    Args:
      encoded: see above.
      size: height and width of the result in pixels.
      fit: what an image that is not square becomes: `squash`: its proportions are lost; `crop`: the largest square in
        its middle is used; `pad`: all of it is used, and what is left of the square is mid grey, half on each side.
    """
    pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    if fit == "crop":
        pixels = _middle(pixels)
    height, width = (_sides if fit == "pad" else _square)(tf.shape(pixels), size)

    def resized() -> tf.Tensor:
        smooth = tf.image.resize(pixels, [height, width], antialias=True)
        return tf.saturate_cast(tf.round(smooth), tf.uint8)

    right_size = tf.reduce_all(tf.shape(pixels)[:2] == [height, width])
    pixels = tf.cond(right_size, lambda: pixels, resized)
    if fit == "pad":
        rows, columns = size - height, size - width
        bars = [[rows // 2, rows - rows // 2], [columns // 2, columns - columns // 2], [0, 0]]
        pixels = tf.pad(pixels, bars, constant_values=tf.constant(_BAR, tf.uint8))
    return tf.ensure_shape(pixels, [size, size, 3])


def _middle(pixels: tf.Tensor) -> tf.Tensor:
    """Return the largest square in the middle of an image."""
    shape = tf.shape(pixels)[:2]
    side = tf.reduce_min(shape)
    first = (shape - side) // 2
    return pixels[first[0] : first[0] + side, first[1] : first[1] + side]


def _square(shape: tf.Tensor, size: int) -> tuple[int, int]:
    return size, size


def _sides(shape: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return height and width of an image of `shape` once its longer side has `size` pixels; at least one."""
    sides = tf.cast(shape[:2], tf.float64)
    scaled = tf.maximum(1, tf.cast(tf.round(sides * size / tf.reduce_max(sides)), tf.int32))
    return scaled[0], scaled[1]


# Functions of their own: TensorFlow Transform traces preprocessing_fn many times, and these are traced once.
@tf.function(autograph=False)
def _pixels(encoded: tf.Tensor, size: int, fit: str) -> tf.Tensor:
    """Return encoded images, string [N], as uint8 [N, size, size, 3]."""
    image = tf.TensorSpec([size, size, 3], tf.uint8)
    with tf.device(_HOST):
        return tf.map_fn(lambda e: decode(e, size, fit), encoded, fn_output_signature=image)


@tf.function(autograph=False)
def _sums(encoded: tf.Tensor, size: int, fit: str) -> tf.Tensor:
    """Return int64 [N, 7] per image: the number of pixels, the sum of each channel, and the sum of its squares."""

    def of_one(image: tf.Tensor) -> tf.Tensor:  # a batch of large images in int64 would not fit in memory
        x = tf.cast(decode(image, size, fit), tf.int64)
        return tf.concat([[size * size], tf.reduce_sum(x, [0, 1]), tf.reduce_sum(x * x, [0, 1])], 0)

    with tf.device(_HOST):
        return tf.map_fn(of_one, encoded, fn_output_signature=tf.TensorSpec([7], tf.int64))
