"""Augmentation: variations of a batch of training images, drawn from the seed, the epoch and the step, nothing else.

`AUGMENTATIONS` lists them; each is switched on by keys of its own in the section `trainer`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import tensorflow as tf

from components.trainer.augment import geometry, mixing, values
from components.trainer.augment.batch import FULL_BATCH, Batch, Change
from components.trainer.config import Settings


class On(enum.Enum):
    """The input of an augmentation; they are applied in this order."""

    PIXELS = enum.auto()  # as they are stored, of any dtype: uint8 is a quarter of the work
    NORMALISED = enum.auto()  # float32, 0 is the mean colour
    FULL_BATCH = enum.auto()  # normalised, and every image of the batch is there: it mixes them


class Augmentation(NamedTuple):
    """An entry of AUGMENTATIONS."""

    on: On
    make: Callable[[Settings], Change | None]  # None where the settings switch it off


AUGMENTATIONS = (
    Augmentation(On.PIXELS, geometry.flip_and_translate),
    Augmentation(On.PIXELS, geometry.crop),
    Augmentation(On.PIXELS, geometry.rotate),
    Augmentation(On.NORMALISED, values.jitter),
    Augmentation(On.NORMALISED, values.cutout),
    Augmentation(On.NORMALISED, values.erase),
    Augmentation(On.FULL_BATCH, mixing.mixup),
    Augmentation(On.FULL_BATCH, mixing.cutmix),
)


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
