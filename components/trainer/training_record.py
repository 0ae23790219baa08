"""The Trainer's record of a training: its setup, its epochs and the weights that it began with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from components.contracts import training as records
from components.trainer import networks
from components.trainer.config import Settings
from components.trainer.input import Split
from components.trainer.loop import State


def setup(split: Split, settings: Settings, training: State, factor: float) -> records.Setup:
    """Return how a network was trained on `split`; `factor` calibrates its logits."""
    plan, deviation = training.plan, 1 / split.scale.numpy()
    mean = -split.shift.numpy() * deviation
    return records.Setup(
        network=settings.network,
        optimizer=type(training.optimizer).__name__,
        learning_rate=plan.settings.learning_rate,
        batch_size=plan.settings.batch_size,
        label_smoothing=plan.settings.label_smoothing,
        precision=plan.precision,
        mean=[round(float(level), 3) for level in mean],
        deviation=[round(float(level), 3) for level in deviation],
        calibration=round(factor, 4),
    )


def epochs(trainings: Iterable[State], settings: Settings) -> list[records.Epoch]:
    """Return the epochs of all networks, one network after the other."""
    return [
        records.Epoch(network=number if settings.ensemble > 1 else None, kept=_is_kept(training, epoch), **epoch)
        for number, training in enumerate(trainings, 1)
        for epoch in training.record.history
    ]


def pretrained(settings: Settings) -> records.Pretrained | None:
    """Return the weights that a training begins with; None where they are random."""
    pretraining = networks.traits(settings.network).pretraining
    if pretraining is None or settings.weights == networks.NONE:
        return None
    if settings.weights == networks.IMAGENET or settings.weights_published:
        sha256 = settings.weights_sha256 or pretraining.sha256
        return records.Pretrained(pretraining.weights, sha256, pretraining.licence, pretraining.source)
    return records.Pretrained(settings.weights, settings.weights_sha256, "", "")


def _is_kept(training: State, epoch: dict[str, Any]) -> bool | None:
    return True if training.plan.settings.keep == "best" and epoch["epoch"] == training.best.epoch else None
