"""The network."""

from __future__ import annotations

import keras
from keras import layers


def build_model(size: int, classes: int, width: int) -> keras.Sequential:
    """A small convolutional network, from float32 [N, size, size, 3], normalised, to logits [N, classes].

    A strided 4x4 stem, then groups of two 3x3 convolutions, the first of which halves the picture, until it is 2 to 4
    pixels wide. Pooling comes before normalisation and activation, which then work on a quarter of the pixels.

    Args:
        size: pixels, at least 8.
        classes: number of classes.
        width: channels of the stem; the groups have twice, then four times as many.
    """
    model = keras.Sequential([keras.Input((size, size, 3)), *_convolution(width, 4, strides=2)])
    for group in range(max(1, size.bit_length() - 3)):
        channels = width * min(2 ** (group + 1), 4)
        for layer in [*_convolution(channels, 3, pool=True), *_convolution(channels, 3)]:
            model.add(layer)
    model.add(layers.GlobalMaxPooling2D())
    model.add(layers.Dense(classes, name="logits"))
    return model


def _convolution(channels: int, kernel: int, strides: int = 1, pool: bool = False) -> list[keras.Layer]:
    return [
        layers.Conv2D(channels, kernel, strides, padding="same", use_bias=False, kernel_initializer="he_normal"),
        *([layers.MaxPooling2D()] if pool else []),
        # Synchronised: the replicas of a strategy share one mean and variance, as one device would have.
        layers.BatchNormalization(momentum=0.9, synchronized=True),
        layers.ReLU(),
    ]
