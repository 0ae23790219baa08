"""Augmentation: variations of a batch of training images, drawn from the seed, the epoch and the step, nothing else.

`AUGMENTATIONS` lists them; each is switched on by keys of its own in the section `trainer`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from components.trainer.config import Settings

FULL_BATCH = slice(None)  # all images of a batch
_KNUTH = 2654435761  # spreads neighbouring numbers over all residues


@dataclass(frozen=True)
class Batch:
    """Images of one step, and what a variation of them may depend on besides the settings."""

    images: tf.Tensor  # [N, S, S, C]
    labels: tf.Tensor  # float32 [N, K], one-hot
    index: tf.Tensor  # int64 [N]; the number of each image in its split, the same in all epochs
    epoch: tf.Tensor  # int64 scalar, from 0
    step: tf.Tensor  # int64 scalar, counted through all epochs
    part: slice = FULL_BATCH  # which N images of the batch these are: their augmentation does not depend on N


Change = Callable[[Batch], Batch]


class On(enum.Enum):
    """The input of an augmentation; they are applied in this order."""

    PIXELS = enum.auto()  # as they are stored, of any dtype: uint8 is a quarter of the work
    NORMALISED = enum.auto()  # float32, 0 is the mean colour
    FULL_BATCH = enum.auto()  # normalised, and every image of the batch is there: it mixes them


class Augmentation(NamedTuple):
    """An entry of AUGMENTATIONS."""

    on: On
    make: Callable[[Settings], Change | None]  # None where the settings switch it off


class Augmenter:
    """The augmentations that `settings` switch on."""

    def __init__(self, settings: Settings, part: slice = FULL_BATCH) -> None:
        """Create the changes once, not for each batch.

        Args:
          settings: `batch_size` and `seed` are read, and the keys of each augmentation.
          part: the images of each batch that are wanted.
        """
        changes = [(augmentation.on, augmentation.make(settings)) for augmentation in AUGMENTATIONS]
        self._changes = {on: [change for input_, change in changes if input_ is on and change] for on in On}
        self._part = part
        self.needed = FULL_BATCH if self._changes[On.FULL_BATCH] else part  # of a batch, to make the part wanted

    def apply(self, batch: Batch, normalise: Callable[[tf.Tensor], tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Return normalised images and labels of the wanted part of `batch`, which contains the needed part."""
        for on, changes in self._changes.items():
            if on is On.NORMALISED:
                batch = replace(batch, images=normalise(batch.images))
            for change in changes:
                batch = change(batch)
        if self.needed == self._part:
            return batch.images, batch.labels
        return batch.images[self._part], batch.labels[self._part]


def flip_and_translate(settings: Settings) -> Change | None:
    """Mirror each image left to right every other epoch, and translate it; the border is filled by reflection.

    Half of the images start mirrored: within two epochs each is seen both ways, where random flips would show half of
    them the same way twice. Source: cifar10-airbench (Jordan, 2024), 'alternating flip'.

    Args:
      settings: `flip` and `translate` (pixels, at most, up or down and left or right; less than S) are read.
    """
    if not settings.flip and not settings.translate:
        return None

    def change(batch: Batch) -> Batch:
        height, width = batch.images.shape[1], batch.images.shape[2]
        move = _whole_numbers(2 * settings.translate + 1, settings.batch_size, settings.seed, batch.step)
        move = move[:, batch.part] - settings.translate
        columns = tf.range(width)[None]
        if settings.flip:
            turn = (batch.index * _KNUTH) // 2**16 + tf.cast(batch.epoch, tf.int64) + settings.seed
            columns = tf.where((turn % 2 == 1)[:, None], width - 1 - columns, columns)
        # Where each row and column of the result comes from: move and mirror are one selection of rows, one of columns.
        rows = tf.gather(batch.images, _reflect(tf.range(height)[None] + move[0], height), axis=1, batch_dims=1)
        return replace(batch, images=tf.gather(rows, _reflect(columns + move[1], width), axis=2, batch_dims=1))

    return change


def cutout(settings: Settings) -> Change | None:
    """Blank a square of each image; its centre is anywhere, so a part of it may be outside.

    Source: DeVries and Taylor, 'Improved Regularization of Convolutional Neural Networks with Cutout', 2017.

    Args:
      settings: `cutout` (pixels, the side of the square) is read.
    """
    if not settings.cutout:
        return None

    def change(batch: Batch) -> Batch:
        side = batch.images.shape[1]
        # A seed below 0: not the draws of another seed's moves.
        centre = _whole_numbers(side, settings.batch_size, ~settings.seed, batch.step)[:, batch.part]
        first = centre - settings.cutout // 2
        inside = (tf.range(side) >= first) & (tf.range(side) < first + settings.cutout)  # [2, N, S]: rows and columns
        blank = inside[0, :, :, None, None] & inside[1, :, None, :, None]
        return replace(batch, images=tf.where(blank, tf.zeros([], batch.images.dtype), batch.images))

    return change


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


AUGMENTATIONS = (
    Augmentation(On.PIXELS, flip_and_translate),
    Augmentation(On.NORMALISED, cutout),
    Augmentation(On.FULL_BATCH, mixup),
    Augmentation(On.FULL_BATCH, cutmix),
)


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


def _whole_numbers(below: int, batch_size: int, seed: int, step: tf.Tensor) -> tf.Tensor:
    """Draw int32 [2, batch_size, 1], from 0, one in each direction for each image."""
    seeds = tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])
    draws = tf.random.stateless_uniform([2, batch_size, 1], seeds, alg="philox")  # the same on every device
    return tf.cast(tf.floor(draws * below), tf.int32)


def _reflect(index: tf.Tensor, size: int) -> tf.Tensor:
    """Mirror indices beyond the border at it: -1 becomes 1, and `size` becomes `size` - 2."""
    return size - 1 - tf.abs(size - 1 - tf.abs(index))
