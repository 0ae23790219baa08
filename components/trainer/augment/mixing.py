"""Augmentations that mix the images of a batch, and their labels in the same measure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from components.trainer.augment.batch import Batch, Change
from components.trainer.config import Settings


def mixup(settings: Settings) -> Change | None:
    """Blend each image with another of its batch, and their labels in the same measure.

    Source: Zhang and others, 'mixup: Beyond Empirical Risk Minimization', 2018.
    """
    return _mixing(keras.layers.MixUp(settings.mixup, dtype="float32"), settings.seed) if settings.mixup else None


def cutmix(settings: Settings) -> Change | None:
    """Paste a rectangle of another image of the batch into each, and mix their labels in the same measure.

    Source: Yun and others, 'CutMix: Regularization Strategy to Train Strong Classifiers', 2019.
    """
    return _mixing(keras.layers.CutMix(settings.cutmix, dtype="float32"), settings.seed) if settings.cutmix else None


def _mixing(layer: Any, seed: int) -> Change:
    """Return a change by Keras' own layer, with random numbers from the seed and the step."""

    def change(batch: Batch) -> Batch:
        drawn = layer.get_random_transformation(batch.images, seed=_Draws(seed, batch.step))
        return replace(
            batch,
            images=layer.transform_images(batch.images, drawn),
            labels=layer.transform_labels(batch.labels, drawn),
        )

    return change


class _Draws(keras.random.SeedGenerator):
    """Random numbers that depend on seed and step alone; Keras' own counts calls, which no checkpoint stores."""

    def __init__(self, seed: int, step: tf.Tensor) -> None:
        self._first, self._drawn = tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)]), 0

    def next(self, ordered: Any = True) -> tf.Tensor:
        self._drawn += 1
        return tf.random.experimental.stateless_fold_in(self._first, self._drawn)
