"""A small SavedModel, made at once, for tests of what asks a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf


def write_first_pixel(folder: Path, class_names: Sequence[str], dark: float = 0.0) -> Path:
    """A SavedModel of two classes that tells whether the first pixel of an image is red.

    Args:
      folder: where to write it.
      class_names: of an image that begins with red, and of any other.
      dark: the probability of both classes where all pixels of an image are 0.
    """

    class FirstPixel(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serve(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
            def answer(image: tf.Tensor) -> tf.Tensor:
                pixels = tf.io.decode_image(image, channels=3, expand_animations=False)
                red = tf.cast(pixels[0, 0, 0] > pixels[0, 0, 2], tf.float32)
                given = tf.reduce_max(pixels) > 0
                return tf.where(given, tf.stack([red, 1 - red]), tf.constant([dark, 1 - dark]))

            return {
                "class_names": tf.tile([list(class_names)], [tf.size(images), 1]),
                "probabilities": tf.map_fn(answer, images, fn_output_signature=tf.TensorSpec([2], tf.float32)),
            }

    module = FirstPixel()
    tf.saved_model.save(module, str(folder), {"serve_images": module.serve})
    return folder
