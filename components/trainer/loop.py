"""The training loop: many steps an execution, in one tf.function, under any tf.distribute strategy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import keras
import tensorflow as tf

from components.contracts.training import Budget
from components.errors import Stopped
from components.trainer import interrupt
from components.trainer import strategy as devices
from components.trainer.best import Best
from components.trainer.checkpoint import Checkpoints
from components.trainer.plan import Plan
from components.trainer.record import Record

_EXECUTION = 0.5  # seconds that one execution should take: as many steps as fit; it bounds the delay of Ctrl-C
_STEPS_OF_WORKERS = 16  # steps an execution on several workers

Step = Callable[..., tuple[tf.Tensor, tf.Tensor]]


@dataclass(frozen=True)
class State:
    """The state of a training: plan, model, record and checkpoints."""

    plan: Plan
    model: keras.Sequential  # built, under the strategy, with logits as its output
    optimizer: keras.optimizers.Optimizer  # built for the model's trainable variables, under the strategy
    record: Record
    best: Best
    checkpoints: Checkpoints  # to be deleted once the model is written
    features: str = ""  # folder of what the last layer was fitted on, if one was; likewise
    budget: Budget | None = None  # the plan, where it was made for a time


class LastLayer(NamedTuple):
    """The fit of the last layer of a pretrained network: mean loss and accuracy on the training images."""

    loss: float
    accuracy: float
    images: int


@dataclass(frozen=True)
class Data:
    """The batches for training and validation; each by the part that is asked for.

    Attributes:
      training: gives, from a step on, images, float32 [N, S, S, 3], and labels, float32 [N, K], a step.
      validation: gives the same with weights, float32 [N], 0 for the images that fill up the last batch.
      validation_images: how many in `validation` have the weight 1.
    """

    training: Callable[[int, slice], tf.data.Dataset]
    validation: Callable[[slice], tf.data.Dataset]
    validation_images: int


def fit(
    state: State,
    data: Data,
    strategy: tf.distribute.Strategy,
    last_layer: Callable[[], LastLayer] | None = None,
    deadline: float = math.inf,
) -> None:
    """Train from where `state` stands to the last epoch, validating after each.

    Args:
      last_layer: fits the last layer of a pretrained network, before the first epoch.
      deadline: of `time.monotonic`, after which the training ends, in the middle of an epoch too.

    Raises:
      UserError: a loss is not a number.
      Stopped: after Ctrl-C, SIGTERM or SIGHUP, once the step is done and kept; on several machines, on all of them.
    """
    record, settings = state.record, state.plan.settings
    train = train_steps(state.model, state.optimizer, state.plan, strategy)
    test = test_steps(state.model, state.plan, strategy)
    validation_batches = -(-data.validation_images // settings.batch_size)
    validation = distributed(data.validation, settings.batch_size, strategy)
    training = distributed(lambda part: data.training(record.step, part), settings.batch_size, strategy)
    iterator, pace = iter(training), _Pace(strategy)

    def validate() -> tuple[float, float]:
        total, right = test(iter(validation), tf.constant(validation_batches))
        return float(total) / data.validation_images, float(right) / data.validation_images

    if last_layer is not None and not record.history:
        began, fitted = time.monotonic(), last_layer()
        record.fitted_last_layer(*fitted, *validate(), time.monotonic() - began)
        state.best.offer(record.history[-1])
        state.checkpoints.save()
    with interrupt.stop_requested() as stop:
        while True:
            limited = deadline < math.inf and (record.step > 0 or record.history)  # something is trained at any rate
            late = limited and devices.any_worker(strategy, time.monotonic() > deadline)
            if late:
                record.end_early()
            if record.at_end_of_epoch:
                if late or record.step == record.total:
                    state.optimizer.finalize_variable_values(state.model.trainable_variables)
                loss, accuracy = validate()
                rate = float(keras.ops.convert_to_numpy(state.optimizer.learning_rate))
                record.end_epoch(loss, accuracy, rate)
                state.best.offer(record.history[-1])
            waited_long = settings.patience and record.epoch - state.best.epoch >= settings.patience
            if record.epoch == settings.epochs or waited_long or late:
                state.best.load()
                return
            if devices.any_worker(strategy, stop.is_set()):
                state.checkpoints.save()
                raise Stopped(record.where(), stop.number)
            count = min(pace.steps, record.left_in_epoch)
            began = time.monotonic()
            losses, right, waited, stepping = train(iterator, tf.constant(count))
            values = losses.numpy()
            seconds = pace.measure(count, time.monotonic() - began, float(stepping))
            record.add(values, float(right), seconds, float(waited) / float(stepping))
            state.checkpoints.save_if_due()


class _Pace:
    """Choose how many steps the next execution has."""

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        # The clocks of several workers would not agree on a number, and each would wait for steps the other omits.
        self._alone = not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        self.steps, self._compiled = 1, False

    def measure(self, count: int, wall: float, stepping: float) -> float:
        """Return the seconds that `count` steps took, of `wall` seconds of which `stepping` were in the function."""
        seconds = wall if self._compiled else stepping  # the first time TensorFlow compiles first
        self._compiled = True
        fitting = max(1, min(4 * count, round(_EXECUTION * count / max(seconds, 1e-6))))
        self.steps = fitting if self._alone else _STEPS_OF_WORKERS
        return seconds


def train_steps(
    model: keras.Sequential, optimizer: keras.optimizers.Optimizer, plan: Plan, strategy: tf.distribute.Strategy
) -> Callable[..., tuple[tf.Tensor, ...]]:
    """Return a function that trains: of an iterator and a number of steps."""
    step = training_step(model, optimizer, plan, strategy.num_replicas_in_sync)

    @tf.function
    def steps_of(iterator: tf.data.Iterator, steps: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return (loss of each step, correct predictions in all, seconds waited for data, seconds in all)."""
        started = tf.timestamp()
        losses = tf.TensorArray(tf.float32, steps)
        right, waited = tf.constant(0.0), tf.constant(0.0, tf.float64)
        for i in tf.range(steps):
            # A step begins when the one before is done: what is waited then is waited for data.
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            began = tf.timestamp()
            with tf.control_dependencies([began]):
                batch = next(iterator)
            with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
                waited += tf.timestamp() - began
            loss, correct = _sum(strategy, strategy.run(step, args=batch))
            losses = losses.write(i, loss)
            right += correct
        with tf.control_dependencies([right]):
            return losses.stack(), right, waited, tf.timestamp() - started

    return steps_of


def test_steps(
    model: keras.Sequential, plan: Plan, strategy: tf.distribute.Strategy
) -> Callable[..., tuple[tf.Tensor, ...]]:
    """Return a function that validates: of an iterator and a number of batches."""
    step = validation_step(model, plan)

    @tf.function
    def batches_of(iterator: tf.data.Iterator, steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (sum of the losses, correct predictions)."""
        total, right = tf.constant(0.0), tf.constant(0.0)
        for _ in tf.range(steps):
            loss, correct = _sum(strategy, strategy.run(step, args=next(iterator)))
            total += loss
            right += correct
        return total, right

    return batches_of


def training_step(model: keras.Model, optimizer: keras.optimizers.Optimizer, plan: Plan, replicas: int) -> Step:
    """Return one step on one replica: (its part of the mean loss, its correct predictions), each float32 []."""
    cost, batch_size = _loss(plan), plan.settings.batch_size

    def step(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = tf.cast(model(images, training=True), tf.float32)
            costs = cost(labels, logits)
            if plan.class_weights:  # of mixed labels it is the mean weight of both
                costs *= tf.linalg.matvec(labels, tf.constant(plan.class_weights))
            loss = tf.reduce_sum(costs) / batch_size
            objective = tf.add_n([loss, *(term / replicas for term in model.losses)])
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(objective, weights), weights)  # sums the gradients over the replicas
        return loss, _correct(labels, logits)

    return step


def validation_step(model: keras.Model, plan: Plan) -> Step:
    """Return one batch on one replica: (sum of the losses, correct predictions), each float32 []."""
    cost = _loss(plan)

    def step(images: tf.Tensor, labels: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = tf.cast(model(images, training=False), tf.float32)
        return tf.reduce_sum(cost(labels, logits) * weight), _correct(labels, logits, weight)

    return step


def _loss(plan: Plan) -> keras.losses.Loss:
    smoothing = plan.settings.label_smoothing
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, reduction="none")


def _correct(labels: tf.Tensor, logits: tf.Tensor, weight: tf.Tensor | float = 1.0) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(tf.argmax(labels, 1) == tf.argmax(logits, 1), tf.float32) * weight)


def _sum(strategy: tf.distribute.Strategy, values: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
    return tuple(strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None) for value in values)


def distributed(
    batches: Callable[[slice], tf.data.Dataset], batch_size: int, strategy: tf.distribute.Strategy
) -> tf.data.Dataset:
    """Return the parts of every global batch that belong to this worker's replicas, in their order."""

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        size, first = batch_size // context.num_input_pipelines, context.input_pipeline_id
        mine = batches(slice(first * size, (first + 1) * size))
        replicas = context.num_replicas_in_sync // context.num_input_pipelines
        if replicas == 1:
            return mine

        def split(*batch: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return tuple(tf.reshape(part, [replicas, size // replicas, *part.shape[1:]]) for part in batch)

        return mine.map(split, tf.data.AUTOTUNE).unbatch().prefetch(tf.data.AUTOTUNE)

    return strategy.distribute_datasets_from_function(of_worker)
