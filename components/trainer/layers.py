"""The layers that Keras does not have, registered: a saved model loads wherever this module is imported."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

register = keras.saving.register_keras_serializable("image_classification")


@register
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer as one fused operation that reads bfloat16 and accumulates in float32.

    Keras' own casts half precision to float32 and back, twice the memory traffic of a network that waits for memory.
    Under several replicas it is Keras' own, synchronised: they share one mean and variance, as one device would have.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"synchronized": True, **kwargs})

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if training and not self.trainable and len(inputs.shape) == 4:
            return self._frozen(inputs)
        training = bool(training) and self.trainable
        if len(inputs.shape) != 4 or (training and tf.distribute.get_strategy().num_replicas_in_sync > 1):
            return super().call(inputs, training=training)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma if self.scale else tf.ones_like(self.moving_mean),
            offset=self.beta if self.center else tf.zeros_like(self.moving_mean),
            mean=self.moving_mean,
            variance=self.moving_variance,
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            keep = self.momentum
            # The operation gives the unbiased variance; Keras keeps the other, and so do several replicas.
            count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], tf.float32)
            variance *= (count - 1) / count
            self.moving_mean.assign(keep * self.moving_mean + (1 - keep) * mean)
            self.moving_variance.assign(keep * self.moving_variance + (1 - keep) * variance)
        return outputs

    def _frozen(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return what the fused operation does, in two whose gradient is one multiplication.

        The fused operation's gradient computes those of its statistics too, which nobody reads: a training step of
        EfficientNet-Lite0 takes 1.35 times as long with it on a CPU.
        """
        scale = tf.math.rsqrt(self.moving_variance + self.epsilon)
        if self.scale:
            scale *= self.gamma
        offset = -self.moving_mean * scale
        if self.center:
            offset += self.beta
        return inputs * tf.cast(scale, inputs.dtype) + tf.cast(offset, inputs.dtype)


@register
class Views(keras.layers.Layer):
    """Several views of each image: [N, H, W, C] to [views * N, H, W, C], all images in the first view, and so on.

    Args:
      views: 2 are the image and its left-right mirror image. 6 are these two, and both moved by one pixel, up left
        and down right, the border filled by reflection.

    Source: cifar10-airbench (Jordan, 2024), 'multi-crop evaluation'.
    """

    def __init__(self, views: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.views = views

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        views = tf.concat([inputs, tf.reverse(inputs, [2])], 0)
        if self.views == 2:
            return views
        wide = tf.pad(views, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")
        return tf.concat([views, wide[:, 2:, 2:], wide[:, :-2, :-2]], 0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "views": self.views}


@register
class MeanOfViews(Views):
    """The mean over the `Views` of each image: [views * N, K] to [N, K]. Moved views count half."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        unmoved, *moved = tf.split(inputs, self.views // 2)
        mean = (unmoved + tf.add_n(moved) / 2) / 2 if moved else unmoved
        return tf.add_n(tf.split(mean, 2)) / 2


@register
class Dirac(keras.initializers.Initializer):
    """Dirac initialisation of kernels [H, W, in, out]: the first min(in, out) outputs equal the first inputs.

    The other outputs are uniform, as `he_uniform` but narrower. A deep network then begins as a shallow one that sees
    its image. Source: Zagoruyko and Komodakis, 'DiracNets', 2017; as used by cifar10-airbench (Jordan, 2024).
    """

    def __init__(self, seed: int | None = None) -> None:
        self.random = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> tf.Tensor:
        height, width, inputs, outputs = shape
        straight = range(min(inputs, outputs))
        identity = np.zeros(shape, np.float32)
        identity[height // 2, width // 2, straight, straight] = 1
        random_filters = np.arange(outputs) >= len(straight)
        return self.random(shape, dtype) * tf.cast(random_filters, dtype) + tf.cast(identity, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.random.seed}
