"""One step: what XLA makes of it, in float32 and in bfloat16, and what the loop says of the time it waits."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.errors import UserError
from components.trainer import loop, precision
from components.trainer.best import Best
from components.trainer.checkpoint import Checkpoints
from components.trainer.networks import airbench
from components.trainer.record import Record
from tests.trainer.conftest import plan_of

pytestmark = pytest.mark.slow

PLAN = plan_of(320, size=16, batch_size=32, epochs=2)


def batch() -> tuple[tf.Tensor, tf.Tensor]:
    images = np.random.default_rng(0).normal(size=(32, 16, 16, 3)).astype(np.float32)
    return tf.constant(images), tf.one_hot(np.arange(32) % 10, 10)


def made(computed_in: str = "float32") -> tuple[keras.Model, keras.optimizers.Optimizer]:
    keras.utils.set_random_seed(0)
    with precision.computing_in(computed_in):
        model = airbench.build(PLAN.settings, 10)
        optimizer = airbench.optimizer(PLAN.settings.learning_rate, 20)
        optimizer.build(model.trainable_variables)
    return model, optimizer


@pytest.mark.parametrize("computed_in", ["float32", "bfloat16"])
def test_the_whole_step_compiles_with_xla_and_learns_the_same(computed_in: str) -> None:
    """As a TPU compiles it: one program, the optimizer in it; an op without a kernel of XLA fails here."""
    losses = []
    for jit in (False, True):
        model, optimizer = made(computed_in)
        step = tf.function(loop.training_step(model, optimizer, PLAN, replicas=1), jit_compile=jit)
        losses.append([float(step(*batch())[0]) for _ in range(4)])
        check = tf.function(loop.validation_step(model, PLAN), jit_compile=jit)
        losses[-1].append(float(check(*batch(), tf.ones([32]))[0]) / 32)
    tolerance = 1e-3 if computed_in == "float32" else 0.05
    assert losses[1] == pytest.approx(losses[0], rel=tolerance)
    assert losses[0][3] < losses[0][0]


def test_an_image_weighs_what_its_class_weighs_and_a_mixed_one_the_mean_of_both() -> None:
    weights = tuple(np.linspace(0.1, 1.9, 10))
    images, labels = batch()
    mixed = 0.7 * labels + 0.3 * tf.roll(labels, 1, axis=0)
    for each in (labels, mixed):
        model, optimizer = made()
        logits = model(images, training=True)
        costs = loop._loss(PLAN)(each, logits).numpy()
        expected = float(np.sum(costs * (each.numpy() @ weights)) / 32)
        assert expected != pytest.approx(float(np.sum(costs) / 32), rel=1e-2)
        step = loop.training_step(model, optimizer, replace(PLAN, class_weights=weights), replicas=1)
        for jit in (False, True):
            model, optimizer = made()
            step = loop.training_step(model, optimizer, replace(PLAN, class_weights=weights), replicas=1)
            assert float(tf.function(step, jit_compile=jit)(images, each)[0]) == pytest.approx(expected, rel=1e-3)
    check = loop.validation_step(model, replace(PLAN, class_weights=weights))
    unweighted = loop.validation_step(model, PLAN)
    assert float(check(images, labels, tf.ones([32]))[0]) == float(unweighted(images, labels, tf.ones([32]))[0])


def test_bfloat16_keeps_the_weights_in_float32_and_the_policy_as_it_was() -> None:
    model, _ = made("bfloat16")
    convolution = model.get_layer(index=2)
    assert convolution.compute_dtype == "bfloat16"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def run(training: tf.data.Dataset, steps: int) -> Record:
    plan = plan_of(32 * steps, size=16, batch_size=32, epochs=1)
    model, optimizer = made()
    record = Record(1, steps, 32)
    images, labels = batch()
    validation = tf.data.Dataset.from_tensors((images, labels, tf.ones([32])))
    best = Best(model, keeps=False)
    state = loop.State(plan, model, optimizer, record, best, Checkpoints("", 0, model, optimizer, record, best))
    batches = loop.Data(lambda *_: training, lambda _: validation, 32)
    loop.fit(state, batches, tf.distribute.get_strategy())
    return record


def test_the_share_of_time_that_a_step_waits_for_data_is_measured() -> None:
    ready = tf.data.Dataset.from_tensors(batch()).repeat()

    def late(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        [images] = tf.py_function(lambda x: time.sleep(0.2) or x, [images], [tf.float32])
        return tf.ensure_shape(images, [32, 16, 16, 3]), labels

    assert run(ready.map(late), 10).history[0]["waiting"] > 0.5 > run(ready.prefetch(2), 200).history[0]["waiting"]


@pytest.mark.parametrize("bad", [1, 17, 30])
def test_a_loss_that_is_no_number_is_told_by_its_step(bad: int) -> None:
    """Whatever step of an execution it is: the first executions have 1, 4, 16 and more of them."""
    images, labels = batch()
    good = tf.data.Dataset.from_tensors((images, labels))
    # Not of images: what is no number does not survive a maximum over its neighbours.
    spoilt = tf.data.Dataset.from_tensors((images, labels * np.nan))
    training = good.repeat(bad - 1).concatenate(spoilt).concatenate(good.repeat())
    with pytest.raises(UserError, match=rf"no longer a number at step {bad} of 40 in epoch 1: try a lower"):
        run(training, 40)


def test_a_step_has_no_python_of_the_host(tmp_path: Path) -> None:
    model, optimizer = made()
    graph = tf.function(loop.training_step(model, optimizer, PLAN, 1)).get_concrete_function(*batch()).graph
    kinds = {op.type for op in graph.get_operations()}
    assert not {kind for kind in kinds if "PyFunc" in kind}
    assert all(tensor.shape.is_fully_defined() for op in graph.get_operations() for tensor in op.outputs if op.outputs
               and op.type in ("Conv2D", "MatMul", "MaxPool"))  # fmt: skip
