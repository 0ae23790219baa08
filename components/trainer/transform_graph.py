"""Transform's output as functions: the same graph makes the images that are trained on and those that are served."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft

from components.contracts import features as f

# AutoGraph has nothing to convert here, but would spend seconds on the insides of legacy Keras.
_as_written = tf.autograph.experimental.do_not_convert


class TransformGraph:
    """The graph in the TransformGraph artifact at `directory`, for images of `size` x `size` pixels."""

    def __init__(self, directory: str, size: int) -> None:
        # A layer of legacy Keras: what is exported must track it, and it must be called inside a tf.function.
        self.layer = tft.TFTransformOutput(directory).transform_features_layer()
        self.size = size

    @_as_written
    def images(self, encoded: tf.Tensor) -> tf.Tensor:
        """Turn encoded images, string [N], into normalised ones, float32 [N, S, S, 3]."""
        return self.layer({f.IMAGE: encoded[:, None]})[f.IMAGE]

    @_as_written
    def examples(self, serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Turn serialized tf.Examples, string [N], into normalised images, float32 [N, S, S, 3], and labels, int64."""
        spec = {f.IMAGE: tf.io.FixedLenFeature([1], tf.string), f.LABEL: tf.io.FixedLenFeature([1], tf.int64)}
        transformed = self.layer(tf.io.parse_example(serialized, spec))
        return transformed[f.IMAGE], transformed[f.LABEL]

    def scale_and_shift(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the normalisation of each channel: uint8 pixels times scale plus shift, both float32 [3].

        Read off what it makes of a black and of a white image.
        """

        @tf.function
        def black_and_white() -> tf.Tensor:
            shape = [self.size, self.size, 3]
            plain = [tf.io.encode_png(tf.fill(shape, tf.constant(level, tf.uint8))) for level in (0, 255)]
            return self.images(tf.stack(plain))[:, 0, 0]

        black, white = tf.unstack(black_and_white())
        return (white - black) / 255, black
