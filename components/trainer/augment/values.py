"""Augmentations that change the values of normalised images: their colours, or a rectangle that is blanked."""

from __future__ import annotations

from dataclasses import replace

import tensorflow as tf

from components.trainer.augment.batch import Batch, Change, along_row, boxes, pixels, uniform, whole_numbers
from components.trainer.config import Settings

_GREY = (0.299, 0.587, 0.114)  # Rec. 601: the parts of red, green and blue in the brightness of a pixel
_ERASED, _ERASED_ASPECT = (0.02, 1 / 3), 3.3  # share of the area, and largest aspect ratio
_JITTER, _ERASE = 103, 104  # purposes of draws


def jitter(settings: Settings) -> Change | None:
    """Multiply brightness, contrast (about the image's mean grey) and saturation of each image by a number about 1.

    What gets darker than black or brighter than white is cut off, as a camera does.

    Args:
      settings: `jitter` (how far from 1, at most) is read.
    """
    if not settings.jitter:
        return None

    def change(batch: Batch) -> Batch:
        draws = uniform(3, settings.batch_size, settings.seed, batch.step, _JITTER)
        factors = (1 + (2 * draw[batch.part] - 1) * settings.jitter for draw in draws)
        brightness, contrast, saturation = (factor[:, None, None] for factor in factors)
        count, height, width, channels = batch.images.shape
        rows = [count, height, width * channels]
        parts = tf.constant(_GREY) / (batch.white - batch.black)
        grey = tf.tensordot(batch.images, parts, 1) - tf.reduce_sum(parts * batch.black)  # [N, S, S], 0 to 1
        mean = tf.reduce_mean(grey, axis=[1, 2], keepdims=True)
        # The three changes, each x to factor * x + (1 - factor) * what it is about, are one of this form.
        factor = brightness * contrast * saturation
        added = brightness * (contrast * (1 - saturation) * grey + (1 - contrast) * mean)
        added = tf.reshape(tf.repeat(added, channels, axis=2), rows)
        black, white = along_row(batch.black, width), along_row(batch.white, width)
        images = factor * tf.reshape(batch.images, rows) + added * (white - black) + (1 - factor) * black
        images = tf.minimum(tf.maximum(images, black), white)
        return replace(batch, images=tf.reshape(images, batch.images.shape))

    return change


def cutout(settings: Settings) -> Change | None:
    """Blank a square of each image; its centre is anywhere, so a part of it may be outside.

    Source: DeVries and Taylor, 'Improved Regularization of Convolutional Neural Networks with Cutout', 2017.

    Args:
      settings: `cutout` (the side of the square) is read.
    """
    if not settings.cutout:
        return None

    def change(batch: Batch) -> Batch:
        side = batch.images.shape[1]
        blanked = pixels(settings.cutout, side)
        # A seed below 0: not the draws of another seed's moves.
        centre = whole_numbers(side, settings.batch_size, ~settings.seed, batch.step)[:, batch.part]
        first = centre - blanked // 2
        inside = (tf.range(side) >= first) & (tf.range(side) < first + blanked)  # [2, N, S]: rows and columns
        return _blank(batch, inside[0], inside[1])

    return change


def erase(settings: Settings) -> Change | None:
    """Blank a rectangle of some of the images: 2% to 33% of the area, all of it inside.

    Source: Zhong et al., 'Random Erasing Data Augmentation', 2017, with the mean colour.

    Args:
      settings: `erase` (the probability for each image) is read.
    """
    if not settings.erase:
        return None

    def change(batch: Batch) -> Batch:
        side = batch.images.shape[1]
        happens, *draws = uniform(5, settings.batch_size, settings.seed, batch.step, _ERASE)
        box = boxes(draws, _ERASED, _ERASED_ASPECT)
        centres = (tf.range(side, dtype=tf.float32) + 0.5) / side
        rows, columns = (
            (centres >= first[:, None]) & (centres < (first + length)[:, None])
            for first, length in ((box.top, box.height), (box.left, box.width))
        )
        rows &= (happens < settings.erase)[:, None]
        return _blank(batch, rows[batch.part], columns[batch.part])

    return change


def _blank(batch: Batch, rows: tf.Tensor, columns: tf.Tensor) -> Batch:
    """Set to the mean colour the pixels that are in one of the rows and one of the columns, bool [N, S] both."""
    blank = rows[:, :, None, None] & columns[:, None, :, None]
    return replace(batch, images=tf.where(blank, tf.zeros([], batch.images.dtype), batch.images))
