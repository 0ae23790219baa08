"""Advice on the figures of a run, a sentence each: overfitting, and classes of unequal size."""

from __future__ import annotations

from collections.abc import Mapping

from components.contracts.training import Training
from components.intervals import proportion
from components.text import printable

GAP = 0.1  # between the accuracies of training and validation, from which it is worth a word
UNEQUAL = 2  # times as many images has the largest class as the smallest, from which accuracy misleads
_CONFIDENCE = 0.95


def gap(training: Training, validation_images: int) -> str | None:
    """Return what to try where a model is better on its training images than on others; None where it is not.

    Args:
      training: the epoch whose weights were kept counts, else the last.
      validation_images: their number. A gap that they are too few to show is none.
    """
    last = next((epoch for epoch in reversed(training.epochs) if epoch.kept), training.epochs[-1])
    if last.accuracy - last.val_accuracy < GAP or not validation_images:
        return None
    right = round(last.val_accuracy * validation_images)
    if proportion(right, validation_images, _CONFIDENCE).high >= last.accuracy:
        return None
    augmentation = "more augmentation (trainer.crop, trainer.jitter, trainer.erase)"
    otherwise = f", {augmentation} or a pretrained network"
    if training.pretrained:  # its last layer is fitted on images as they are
        otherwise = f" or {'' if last.epoch else 'trainer.fine_tune=last with '}{augmentation}"
    return (
        f"{last.accuracy:.1%} of the training images are classified correctly, {last.val_accuracy:.1%} of the "
        f"validation images: the model has memorised the training images (overfitting). Try more images{otherwise}"
    )


def unequal(images: Mapping[str, int]) -> str | None:
    """Return which metrics decide where classes are of unequal size; None where they are not.

    Args:
      images: of each class in the test split.
    """
    by_size = sorted((count, name) for name, count in images.items() if count)
    if not by_size or by_size[-1][0] < UNEQUAL * by_size[0][0]:
        return None
    (few, small), (many, large) = by_size[0], by_size[-1]
    return (
        f"classes are unequal ({many:,} test images of '{printable(large)}', {few:,} of '{printable(small)}'): "
        "macro F1 and the lowest recall decide, the accuracy is mostly that of the large classes"
    )
