"""The optimizer and its learning rate."""

from __future__ import annotations

import keras

from components.trainer.settings import Settings


def build_optimizer(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    """Nesterov SGD whose learning rate rises to its peak over the first fifth of `steps`, then falls to zero."""
    warmup = max(1, steps // 5)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=settings.learning_rate, warmup_steps=warmup
    )
    return keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=settings.weight_decay)
