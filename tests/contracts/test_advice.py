"""Advice is given where the figures of a run call for it, and nowhere else."""

from __future__ import annotations

import dataclasses

import pytest

from components.contracts import advice
from components.contracts.training import Epoch, Pretrained, Training


def epoch(accuracy: float, validation: float) -> Epoch:
    return Epoch(
        epoch=1,
        loss=0.1,
        accuracy=accuracy,
        val_loss=0.5,
        val_accuracy=validation,
        learning_rate=0.0,
        seconds=1.0,
        pictures_per_second=9.0,
    )


@pytest.mark.parametrize(("train", "validation", "images", "comments"), [
    (1.0, 0.778, 27, True),  # ants and bees
    (0.98, 0.85, 250, True),
    (0.95, 0.86, 250, False),  # below ten points
    (0.91, 0.8, 20, False),  # 16 of 20 may be 91%
    (0.6, 0.8, 250, False),  # augmented images are harder
    (1.0, 0.5, 0, False),
])  # fmt: skip
def test_a_gap_is_commented_on_where_the_validation_images_show_it(
    train: float, validation: float, images: int, comments: bool
) -> None:
    line = advice.gap(Training([epoch(0.2, 0.2), epoch(train, validation)], "", 1), images)
    assert bool(line) == comments
    if line:
        assert line.startswith(f"{train:.1%} of the training images are classified correctly, {validation:.1%} of the")
        assert all(what in line for what in ("more images", "augmentation", "pretrained network"))


def test_a_pretrained_network_is_not_advised_to_be_one() -> None:
    weights = Pretrained("Lite0", "0" * 64, "", "")
    fitted = dataclasses.replace(epoch(1.0, 0.8), epoch=0, kept=True)
    last = advice.gap(Training([fitted, epoch(1.0, 0.7)], "", 1, None, weights), 250)
    more = advice.gap(Training([fitted, epoch(1.0, 0.7)][1:], "", 1, None, weights), 250)
    keys = "more augmentation (trainer.crop, trainer.jitter, trainer.erase)"
    assert last
    assert last.endswith(f"Try more images or trainer.fine_tune=last with {keys}")
    assert more
    assert more.endswith(f"Try more images or {keys}")


@pytest.mark.parametrize(("images", "line"), [
    ({"a": 10, "b": 19}, None),
    ({"a": 10, "b": 0}, None),
    ({}, None),
    ({"glass": 50, "trash\u202e": 14, "paper": 1_059},
     "classes are unequal (1,059 test images of 'paper', 14 of 'trash\\u202e')"),
])  # fmt: skip
def test_unequal_classes_are_named(images: dict[str, int], line: str | None) -> None:
    said = advice.unequal(images)
    assert said is None if line is None else said is not None and said.startswith(line)
