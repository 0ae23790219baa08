"""Weights of the classes in the training loss, for classes of unequal size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

BETA = 0.999  # of the effective number of samples; nearer to 1 is nearer to `balanced`

# What a class of so many training images weighs, beside the others.
KINDS: dict[str, Callable[[int], float]] = {
    "balanced": lambda images: 1 / images,
    # Cui et al., 'Class-Balanced Loss Based on Effective Number of Samples', 2019: the more images a class has, the
    # less another one brings that is new.
    "effective": lambda images: (1 - BETA) / (1 - BETA**images),
}


def of(kind: str, images: Sequence[int]) -> tuple[float, ...]:
    """Return the weight of each class, of mean 1 over the training images; empty if `kind` is `none`.

    Args:
      kind: the setting `trainer.class_weights`.
      images: the number of training images of each class. A class without any weighs nothing.
    """
    if kind == "none":
        return ()
    raw = [KINDS[kind](count) if count else 0.0 for count in images]
    mean = sum(weight * count for weight, count in zip(raw, images)) / sum(images)
    return tuple(weight / mean for weight in raw)
