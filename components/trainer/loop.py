"""The training loop: many steps an execution, in one tf.function, under any tf.distribute strategy."""

from __future__ import annotations

import time
from collections.abc import Callable

import keras
import tensorflow as tf

from components.errors import Stopped
from components.trainer import interrupt
from components.trainer import strategy as devices
from components.trainer.checkpoint import Checkpoints
from components.trainer.progress import Record
from components.trainer.settings import Settings

_EXECUTION = 0.5  # seconds that one execution should take: as many steps as fit, and how soon Ctrl-C is heard
_TOGETHER = 16  # steps an execution on several workers

Step = Callable[..., tuple[tf.Tensor, tf.Tensor]]
Validation = Callable[[slice], tf.data.Dataset]  # of a part of each batch
Training = Callable[[int, slice], tf.data.Dataset]  # the same, from the number of the first step on


def fit(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    training: Training,
    validation: Validation,
    validation_pictures: int,
    settings: Settings,
    strategy: tf.distribute.Strategy,
    record: Record,
    checkpoints: Checkpoints,
) -> None:
    """Trains from where `record` stands to the last epoch, validating after each.

    Args:
      model: built, under `strategy`, with logits as its output.
      optimizer: built for the model's trainable variables, under `strategy`.
      training: gives pictures, float32 [N, S, S, 3], and one-hot labels, float32 [N, K], a step: N of batch_size.
      validation: the same with weights, float32 [N], 0 for the pictures that fill up the last batch.
      validation_pictures: how many in `validation` have the weight 1.

    Raises:
      UserError: a loss is not a number.
      Stopped: after Ctrl-C, SIGTERM or SIGHUP, once the step is done and kept; on several machines, on all of them.
    """
    # ------------------------------------------------------------------------------------------------ on the devices
    train_step = training_step(model, optimizer, settings, strategy.num_replicas_in_sync)
    test_step = validation_step(model, settings)

    @tf.function
    def train_steps(iterator: tf.data.Iterator, steps: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """(loss of each step, right answers in all, seconds waited for data, seconds in all)"""
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
            loss, correct = _sum(strategy, strategy.run(train_step, args=batch))
            losses = losses.write(i, loss)
            right += correct
        with tf.control_dependencies([right]):
            return losses.stack(), right, waited, tf.timestamp() - started

    @tf.function
    def test_steps(iterator: tf.data.Iterator, steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(sum of the losses, right answers)"""
        total, right = tf.constant(0.0), tf.constant(0.0)
        for _ in tf.range(steps):
            loss, correct = _sum(strategy, strategy.run(test_step, args=next(iterator)))
            total += loss
            right += correct
        return total, right

    def share(batches: Validation) -> tf.data.Dataset:
        return strategy.distribute_datasets_from_function(lambda context: _share(batches, settings, context))

    # ------------------------------------------------------------------------------------------------ on the host
    validation_batches = -(-validation_pictures // settings.batch_size)
    validating = share(validation)
    iterator = iter(share(lambda part: training(record.step, part)))
    count, compiled = 1, False  # steps in the next execution
    # The clocks of several workers would not agree on a number, and each would wait for steps the other does not do.
    alone = not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    with interrupt.asked() as stop:
        while True:
            if record.at_end_of_epoch:
                if record.step == record.total:
                    optimizer.finalize_variable_values(model.trainable_variables)
                total, right = test_steps(iter(validating), tf.constant(validation_batches))
                rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
                record.end_epoch(float(total) / validation_pictures, float(right) / validation_pictures, rate)
            if record.epoch == settings.epochs:
                return
            if devices.on_any(strategy, stop.is_set()):
                checkpoints.save()
                raise Stopped(record.where(), stop.number)
            count = min(count, record.left_in_epoch)
            began = time.monotonic()
            losses, right, waited, stepping = train_steps(iterator, tf.constant(count))
            values, wall = losses.numpy(), time.monotonic() - began
            seconds, compiled = wall if compiled else float(stepping), True  # the first time TensorFlow compiles first
            record.add(values, float(right), seconds, float(waited) / float(stepping))
            checkpoints.save_if_due()
            count = max(1, min(4 * count, round(_EXECUTION * count / max(seconds, 1e-6)))) if alone else _TOGETHER


def training_step(model: keras.Model, optimizer: keras.optimizers.Optimizer, settings: Settings, replicas: int) -> Step:
    """One step on one replica: (its part of the mean loss, its right answers), each float32 []."""
    cost = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=settings.label_smoothing, reduction="none"
    )

    def step(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = tf.cast(model(images, training=True), tf.float32)
            loss = tf.reduce_sum(cost(labels, logits)) / settings.batch_size
            objective = tf.add_n([loss, *(term / replicas for term in model.losses)])
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(objective, weights), weights)  # sums the gradients over the replicas
        return loss, _correct(labels, logits)

    return step


def validation_step(model: keras.Model, settings: Settings) -> Step:
    """One batch on one replica: (sum of the losses, right answers), each float32 []."""
    cost = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=settings.label_smoothing, reduction="none"
    )

    def step(images: tf.Tensor, labels: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = tf.cast(model(images, training=False), tf.float32)
        return tf.reduce_sum(cost(labels, logits) * weight), _correct(labels, logits, weight)

    return step


def _correct(labels: tf.Tensor, logits: tf.Tensor, weight: tf.Tensor | float = 1.0) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(tf.argmax(labels, 1) == tf.argmax(logits, 1), tf.float32) * weight)


def _sum(strategy: tf.distribute.Strategy, values: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
    return tuple(strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None) for value in values)


def _share(batches: Validation, settings: Settings, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """Of every global batch the part of each replica of this worker, one after the other."""
    size, first = settings.batch_size // context.num_input_pipelines, context.input_pipeline_id
    mine = batches(slice(first * size, (first + 1) * size))
    replicas = context.num_replicas_in_sync // context.num_input_pipelines
    if replicas == 1:
        return mine

    def split(*batch: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tuple(tf.reshape(part, [replicas, size // replicas, *part.shape[1:]]) for part in batch)

    return mine.map(split, tf.data.AUTOTUNE).unbatch().prefetch(tf.data.AUTOTUNE)
