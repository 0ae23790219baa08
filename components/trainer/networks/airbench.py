"""A convolutional network for small images that trains fast: the design of cifar10-airbench.

Source: Jordan, '94% on CIFAR-10 in 3.29 seconds on a single GPU', 2024, https://arxiv.org/abs/2404.00498. A whitening
stem, Dirac initialisation, Muon with rates of its own for each kind of variable and logits that are scaled down belong
together: none of it is a setting.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.initializers import GlorotUniform, RandomNormal

from components.trainer.config import Settings
from components.trainer.layers import BatchNormalization, Dirac
from components.trainer.model import LOGITS
from components.trainer.optimizer import Muon

GROWTH = 2  # from the first group to the others
_STEM = "whitening"
_LEAST_VARIANCE = 5e-4  # of a patch component: below it is noise, not to be blown up
_LOGIT_SCALE = 1 / 9  # against a start that is too sure of itself
# For logits that are scaled down and classes that are smoothed, as here and in the presets.
_VECTOR_RATE, _MATRIX_RATE = 60.0, 8.0


def build(settings: Settings, classes: int) -> keras.Sequential:
    """Return the network, from float32 [N, size, size, 3], normalised, to logits, float32 [N, classes].

    A frozen stem, to be given to `prepare`, then groups of 3x3 convolutions, the first of which halves the image,
    until it is 2 or 3 pixels wide. Pooling comes before normalisation and activation, which then work on a quarter of
    the pixels. A rectifier takes the place of airbench's GELU, which takes half as long again on a CPU.

    Args:
      settings: `size`, `stem_stride`, `width`, `depth` and `seed` are read.
      classes: number of classes.
    """
    patch = 2 * settings.stem_stride
    # 32 pixels become 31, 15, 7 and 3, a quarter less work than 32, 16, 8 and 4; or 16, 8, 4 and 2.
    border = "valid" if settings.stem_stride == 1 else "same"
    # A seed for each initializer. Keras would draw them from Python's generator of the process, which other threads use
    # too: a Dask client that lost its scheduler changed the weights of a training in the same process.
    draws = random.Random(settings.seed)

    def seed() -> int:
        return draws.randint(1, 10**9)

    model = keras.Sequential([keras.Input((settings.size, settings.size, 3))])
    stem = layers.Conv2D(
        6 * patch**2,
        patch,
        settings.stem_stride,
        border,
        use_bias=False,
        kernel_initializer=GlorotUniform(seed()),
        name=_STEM,
    )
    stem.trainable = False
    model.add(stem)
    model.add(layers.ReLU())
    channels = settings.width
    while channels == settings.width or model.output_shape[1] > 3:
        for index in range(settings.depth):
            model.add(layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer=Dirac(seed())))
            if index == 0:
                model.add(layers.MaxPooling2D())
            model.add(BatchNormalization(momentum=0.6, epsilon=1e-5, scale=False))
            model.add(layers.ReLU())
        channels = GROWTH * settings.width
    model.add(layers.GlobalMaxPooling2D())
    # In float32: logits that are close together must not become equal.
    logits = RandomNormal(stddev=1.0, seed=seed())
    model.add(layers.Dense(classes, use_bias=False, kernel_initializer=logits, dtype="float32"))
    model.add(layers.Rescaling(_LOGIT_SCALE, dtype="float32", name=LOGITS))
    return model


def optimizer(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """Return Muon whose learning rate falls linearly from its peak to zero over `steps`."""
    schedule = keras.optimizers.schedules.PolynomialDecay(learning_rate, max(1, steps), end_learning_rate=0.0)
    return Muon(schedule, vector_rate=_VECTOR_RATE, matrix_rate=_MATRIX_RATE)


def prepare(model: keras.Sequential, settings: Settings, images: Callable[[], tf.Tensor]) -> None:
    """Set the frozen stem of `model` from what `images` returns, float32 [N, size, size, 3], normalised.

    Its outputs are uncorrelated and of variance 1: the principal components of the patches, each divided by its
    standard deviation, and their negatives, so that the rectifier behind loses nothing. Source: cifar10-airbench,
    after Page, 'How to train your ResNet 8: bag of tricks', 2019.
    """
    kernel = model.get_layer(_STEM).kernel
    size, _, channels, outputs = kernel.shape
    patches = tf.image.extract_patches(images(), [1, size, size, 1], [1] * 4, [1] * 4, "VALID")
    patches = tf.reshape(patches, [-1, size * size * channels])
    covariance = tf.matmul(patches, patches, transpose_a=True) / tf.cast(tf.shape(patches)[0], tf.float32)
    variance, components = np.linalg.eigh(covariance.numpy().astype(np.float64))
    components = components[:, ::-1] / np.sqrt(variance[::-1] + _LEAST_VARIANCE)
    # A component has no sign of its own: the same one on every machine.
    components *= np.sign(components[np.abs(components).argmax(0), range(outputs // 2)])
    kernel.assign(np.concatenate([components, -components], axis=1).reshape(kernel.shape))
