"""The preprocessing graph, from an encoded image to the model's input: one for training, evaluation and serving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.contracts import features as f

_GREY_LEVEL = 1 / 255  # the least standard deviation: a channel that is constant on train stays finite
# Where images are decoded and resized, one by one: on a GPU that is many times slower, an image a few small operations.
_HOST = "/cpu:0"


def preprocessing_fn(inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Decode, resize and normalise; mean and variance of each channel are those of the analysed split.

    Args:
      inputs: the raw features; only `image` (string [N] or [N, 1]) and `label` (int64, likewise) are read.
      custom_config: {"size": S}, height and width of the output in pixels.

    Returns:
      `image`: float32 [N, S, S, 3], mean 0 and variance 1 per channel over the analysed images.
      `label`: int64 [N].
    """
    size = int(custom_config["size"])
    encoded = tf.reshape(inputs[f.IMAGE], [-1])

    # Sums of whole numbers are exact, in whatever batches and order Beam adds them: the same data gives the same model.
    sums = tft.sum(_sums(encoded, size), reduce_instance_dims=False)
    count, total, squares = tf.split(tf.cast(sums, tf.float64), [1, 3, 3])
    mean = total / count / 255
    variance = tf.maximum(squares / count / 255**2 - mean**2, _GREY_LEVEL**2)
    deviation = tf.sqrt(variance)
    mean, deviation = tf.cast(mean, tf.float32), tf.cast(deviation, tf.float32)

    return {
        f.IMAGE: (tf.cast(_pixels(encoded, size), tf.float32) / 255 - mean) / deviation,
        f.LABEL: tf.cast(tf.reshape(inputs[f.LABEL], [-1]), tf.int64),
    }


def decode(encoded: tf.Tensor, size: int) -> tf.Tensor:
    """Return the image in `encoded` (string, scalar; JPEG, PNG, BMP or GIF's first frame) as uint8 [size, size, 3].

    Images of another size are resized with antialiasing, their proportions not kept.
    """
    pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)

    def resized() -> tf.Tensor:
        smooth = tf.image.resize(pixels, [size, size], antialias=True)
        return tf.saturate_cast(tf.round(smooth), tf.uint8)

    right_size = tf.reduce_all(tf.shape(pixels)[:2] == size)
    return tf.ensure_shape(tf.cond(right_size, lambda: pixels, resized), [size, size, 3])


# Functions of their own: TensorFlow Transform traces preprocessing_fn many times, and these are traced once.
@tf.function(autograph=False)
def _pixels(encoded: tf.Tensor, size: int) -> tf.Tensor:
    """Return encoded images, string [N], as uint8 [N, size, size, 3]."""
    image = tf.TensorSpec([size, size, 3], tf.uint8)
    with tf.device(_HOST):
        return tf.map_fn(lambda e: decode(e, size), encoded, fn_output_signature=image)


@tf.function(autograph=False)
def _sums(encoded: tf.Tensor, size: int) -> tf.Tensor:
    """Return int64 [N, 7] per image: the number of pixels, the sum of each channel, and the sum of its squares."""

    def of_one(image: tf.Tensor) -> tf.Tensor:  # a batch of large images in int64 would not fit in memory
        x = tf.cast(decode(image, size), tf.int64)
        return tf.concat([[size * size], tf.reduce_sum(x, [0, 1]), tf.reduce_sum(x * x, [0, 1])], 0)

    with tf.device(_HOST):
        return tf.map_fn(of_one, encoded, fn_output_signature=tf.TensorSpec([7], tf.int64))
