"""`trainer.minutes`: as many epochs, of as many layers, as fit in a time, by the measured time of a step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

from components.contracts.training import Budget
from components.trainer import strategy as devices
from components.trainer.loop import Data, distributed, test_steps, train_steps
from components.trainer.plan import Plan

LATEST = 1.05  # of the time: training ends then, wherever it stands
_USED = 0.95  # of the time, by the plan: steps can take longer than those that were measured
_MEASURED = 2.0  # seconds of steps, about


@dataclass(frozen=True)
class Pace:
    """The seconds that a training takes.

    Attributes:
      start: until its first step is done: it is built and compiled.
      step: a step.
      forward: a batch of validation.
    """

    start: float
    step: float
    forward: float


def depths(asked: str, planned: str, pretrained: bool) -> tuple[str, ...]:
    """Return the values of `trainer.fine_tune` that `fit` may choose among, the deepest first.

    Args:
      asked: value in the configuration.
      planned: value that follows from the number of images: with few, the last layer alone is better.
      pretrained: False for a network that trains all its layers from the start.
    """
    return ("last", "none") if pretrained and asked == "auto" and planned != "none" else (planned,)


def fit(
    plan: Plan, depths: tuple[str, ...], seconds: float, images: tuple[int, int], pace: Callable[[Plan], Pace]
) -> Budget:
    """Return the first of `depths` of which one epoch fits in `seconds`, and as many epochs as fit.

    Args:
      plan: its steps are those of an epoch of all images.
      depths: the last one is taken where no epoch of any fits; then a part of one is trained. `none` has no epochs.
      seconds: from now.
      images: of the validation split, and those whose features are computed first.
      pace: measures a plan.
    """
    ends = time.monotonic() + seconds
    validation, features = (-(-number // plan.settings.batch_size) for number in images)
    chosen = Budget(plan.settings.minutes, 0, plan.steps, "none")
    for depth in depths:
        if depth == "none":
            return Budget(plan.settings.minutes, 0, plan.steps, depth)
        measured = pace(applied(replace(chosen, epochs=1, fine_tune=depth), plan))
        left = _USED * (ends - time.monotonic()) - measured.start - features * measured.forward
        epochs, steps = split(left, plan.steps, measured.step, validation * measured.forward)
        chosen = Budget(plan.settings.minutes, epochs, steps, depth)
        if epochs > 1 or steps == plan.steps:
            break
    return chosen


def applied(budget: Budget, plan: Plan) -> Plan:
    """Return `plan` as `budget` has it."""
    update = {"epochs": budget.epochs, "fine_tune": budget.fine_tune}
    return replace(plan, settings=plan.settings.model_copy(update=update), steps=budget.steps)


def split(seconds: float, steps: int, step: float, validation: float) -> tuple[int, int]:
    """Return how many epochs take `seconds`, and the steps of each: at least 1, at most `steps`.

    Args:
      seconds: for all of them.
      steps: of an epoch of all images.
      step: seconds of one.
      validation: seconds of the one at the end of each epoch.
    """
    epochs = max(1, math.ceil(seconds / (steps * step + validation)))
    return epochs, min(steps, max(1, math.floor((seconds / epochs - validation) / step)))


def measure(
    build: Callable[[], tuple[keras.Sequential, keras.optimizers.Optimizer]],
    plan: Plan,
    data: Data,
    strategy: tf.distribute.Strategy,
) -> Pace:
    """Return the pace of a network and an optimizer that `build` makes, and that nobody uses after it."""
    began = time.monotonic()
    model, optimizer = build()
    training, validation = train_steps(model, optimizer, plan, strategy), test_steps(model, plan, strategy)
    size = plan.settings.batch_size
    batches = iter(distributed(lambda part: data.training(0, part), size, strategy))
    images = iter(distributed(data.validation, size, strategy))

    def seconds(run: Callable[..., tuple[tf.Tensor, ...]], batches: tf.data.Iterator, count: int) -> float:
        """Return those of a step, the mean of `count`."""
        before = time.monotonic()
        run(batches, tf.constant(count))[1].numpy()
        return (time.monotonic() - before) / count

    seconds(training, batches, 1)
    start = time.monotonic() - began
    steps = max(1, min(plan.steps - 2, round(_MEASURED / seconds(training, batches, 1))))
    step = seconds(training, batches, steps)
    seconds(validation, images, 1)
    number = -(-data.validation_images // size)
    forward = seconds(validation, images, min(number - 1, 2)) if number > 1 else step / 3
    return Pace(*devices.of_chief(strategy, np.array([start, step, forward], np.float32)).tolist())
