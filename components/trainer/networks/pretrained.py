"""The code that networks with pretrained weights share: the layers after the body, freezing, and the optimizer."""

from __future__ import annotations

import random

import keras
from keras import layers

from components.trainer.model import LOGITS

# The last layers are those whose output has at most this part of the image's side: they tell apart parts of things. The
# layers before tell apart edges and textures, which are the same in all photos, and cost a third of a step's time.
_LAST = 8
_DROPOUT = 0.2  # as in the pretraining of EfficientNets and MobileNets


def classifier(body: keras.Model, classes: int, draws: random.Random) -> keras.Sequential:
    """Return `body` with the layers that make logits, float32 [N, classes], of its features.

    Args:
      body: from images to features, [N, F], or [N, H, W, F], which are averaged.
      classes: number of classes.
      draws: gives a seed to each initializer and to Dropout: see airbench.build.
    """
    head = keras.initializers.RandomNormal(stddev=0.01, seed=draws.randint(1, 10**9))
    pooling = [layers.GlobalAveragePooling2D()] if len(body.output_shape) == 4 else []
    return keras.Sequential(
        [
            keras.Input(body.input_shape[1:]),
            body,
            *pooling,
            layers.Dropout(_DROPOUT, seed=draws.randint(1, 10**9)),
            layers.Dense(classes, kernel_initializer=head, dtype="float32"),
            layers.Rescaling(1.0, dtype="float32", name=LOGITS),
        ]
    )


def freeze(body: keras.Model, fine_tune: str) -> None:
    """Let the layers of `body` be trained that `trainer.fine_tune` asks for; all others compute as in prediction.

    Layers of BatchNormalization keep their statistics and are not trained: those of a small batch of other images are
    noise. Source: https://keras.io/guides/transfer_learning, 'Important note about BatchNormalization layers'.

    Args:
      body: has pretrained weights.
      fine_tune: none; last: the layers whose output has at most an eighth of the image's side; or all.
    """
    side = -(-body.input_shape[1] // _LAST)
    trained = fine_tune == "all"
    for layer in body.layers:
        shape = layer.output.shape
        # One pixel is that of a squeeze-and-excitation, which any block may have.
        trained = trained or (fine_tune == "last" and len(shape) == 4 and 1 < shape[1] <= side)
        layer.trainable = trained and not isinstance(layer, layers.BatchNormalization)
        if isinstance(layer, layers.Dropout) and not trained:
            layer.rate = 0.0


def optimizer(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """Return Adam whose learning rate rises to its peak in the first tenth of `steps`, then falls to zero by a cosine.

    Without the rise the first steps, whose size in Adam does not depend on the gradient's, undo some of what the layers
    before the last one know. Source: Loshchilov and Hutter, 'SGDR', 2017 (the cosine); Goyal et al., 2017 (the rise).
    """
    rise = max(1, -(-steps // 10))
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / rise, max(1, steps - rise), warmup_target=learning_rate, warmup_steps=rise
    )
    return keras.optimizers.Adam(schedule, global_clipnorm=1.0)
