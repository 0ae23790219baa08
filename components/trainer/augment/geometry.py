"""Augmentations that move the pixels of an image: they take and give levels as well as normalised values."""

from __future__ import annotations

import math
from dataclasses import replace

import tensorflow as tf

from components.trainer.augment.batch import Batch, Change, boxes, pixels, uniform, whole_numbers
from components.trainer.config import Settings

_KNUTH = 2654435761  # spreads neighbouring numbers over all residues
_ASPECT = 4 / 3
_CROP, _ROTATE = 101, 102  # purposes of draws
_INSIDE = 1 - 1e-6  # a corner that is rounded to beyond the last pixel would be black


def flip_and_translate(settings: Settings) -> Change | None:
    """Mirror each image left to right every other epoch, and translate it; the border is filled by reflection.

    Half of the images start mirrored: within two epochs each is seen both ways, where random flips would show half of
    them the same way twice. Source: cifar10-airbench (Jordan, 2024), 'alternating flip'.

    Args:
      settings: `flip` and `translate` (at most, up or down and left or right; less than S) are read.
    """
    if not settings.flip and not settings.translate:
        return None

    def change(batch: Batch) -> Batch:
        height, width = batch.images.shape[1], batch.images.shape[2]
        most = pixels(settings.translate, height)
        move = whole_numbers(2 * most + 1, settings.batch_size, settings.seed, batch.step)
        move = move[:, batch.part] - most
        columns = tf.range(width)[None]
        if settings.flip:
            turn = (batch.index * _KNUTH) // 2**16 + tf.cast(batch.epoch, tf.int64) + settings.seed
            columns = tf.where((turn % 2 == 1)[:, None], width - 1 - columns, columns)
        # Where each row and column of the result comes from: move and mirror are one selection of rows, one of columns.
        rows = tf.gather(batch.images, _reflect(tf.range(height)[None] + move[0], height), axis=1, batch_dims=1)
        return replace(batch, images=tf.gather(rows, _reflect(columns + move[1], width), axis=2, batch_dims=1))

    return change


def crop(settings: Settings) -> Change | None:
    """Cut a rectangle out of each image and enlarge it to the image's size, bilinearly.

    Source: Szegedy et al., 'Going Deeper with Convolutions', 2014 ('random resized crop').

    Args:
      settings: `crop` (least share of the area; 0 and 1: all of it) is read.
    """
    if settings.crop in (0, 1):
        return None

    def change(batch: Batch) -> Batch:
        draws = uniform(4, settings.batch_size, settings.seed, batch.step, _CROP)
        box = boxes(draws, (settings.crop, 1), _ASPECT)
        corners = tf.stack([box.top, box.left, box.top + box.height, box.left + box.width], axis=1)
        images = tf.image.crop_and_resize(
            batch.images,
            tf.minimum(corners, _INSIDE)[batch.part],
            tf.range(len(batch.images)),
            batch.images.shape[1:3],
        )
        return replace(batch, images=images)

    return change


def rotate(settings: Settings) -> Change | None:
    """Rotate each image about its centre, bilinearly; the border is filled by reflection.

    Args:
      settings: `rotate` (degrees, at most, either way) is read.
    """
    if not settings.rotate:
        return None

    def change(batch: Batch) -> Batch:
        height, width = batch.images.shape[1], batch.images.shape[2]
        y, x = (height - 1) / 2, (width - 1) / 2
        (draws,) = uniform(1, settings.batch_size, settings.seed, batch.step, _ROTATE)
        angle = (2 * draws - 1) * math.radians(settings.rotate)
        cos, sin, zero = tf.cos(angle), tf.sin(angle), tf.zeros_like(angle)
        # Where each pixel of the result comes from: x' = cos * x - sin * y, y' = sin * x + cos * y, about the centre.
        from_x, from_y = [cos, -sin, x - x * cos + y * sin], [sin, cos, y - x * sin - y * cos]
        images = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(batch.images, tf.float32),  # of bytes it would cut off what is after the point
            transforms=tf.stack([*from_x, *from_y, zero, zero], axis=1)[batch.part],
            output_shape=[height, width],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="REFLECT",
        )
        return replace(batch, images=tf.ensure_shape(images, batch.images.shape))

    return change


def _reflect(index: tf.Tensor, size: int) -> tf.Tensor:
    """Mirror indices beyond the border at it: -1 becomes 1, and `size` becomes `size` - 2."""
    return size - 1 - tf.abs(size - 1 - tf.abs(index))
