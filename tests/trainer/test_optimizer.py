"""Muon: what a step is, that its whole state is in its variables, and that XLA compiles it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.optimizer import Muon, orthogonalised

KERNEL, MATRIX, VECTOR = (3, 3, 4, 8), (8, 10), (8,)


def variables() -> list[keras.Variable]:
    random = np.random.default_rng(0)
    return [keras.Variable(random.normal(size=shape), dtype="float32") for shape in (KERNEL, MATRIX, VECTOR)]


def gradients(step: int) -> list[tf.Tensor]:
    random = np.random.default_rng(step + 1)
    return [tf.constant(random.normal(size=shape), tf.float32) for shape in (KERNEL, MATRIX, VECTOR)]


@pytest.mark.parametrize("shape", [(3, 3, 4, 8), (1, 1, 4, 32), (3, 3, 16, 16)])
def test_orthogonalised_is_near_the_polar_factor(shape: tuple[int, ...]) -> None:
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    result = np.array(orthogonalised(tf.constant(kernel), 5)).reshape(-1, shape[-1])
    left, _, right = np.linalg.svd(kernel.reshape(-1, shape[-1]), full_matrices=False)
    singular = np.diag(left.T @ result @ right.T)
    assert 0.5 < singular.min() <= singular.max() < 1.3
    np.testing.assert_allclose(left.T @ result @ right.T, np.diag(singular), atol=1e-4)


def test_a_step_of_a_kernel_turns_it_and_keeps_its_norm() -> None:
    kernel, before = variables()[0], np.array(variables()[0])
    Muon(0.1, momentum=0.6).apply([gradients(0)[0]], [kernel])
    turned = before - 0.1 * np.array(orthogonalised(gradients(0)[0] * 1.6, 3))
    np.testing.assert_allclose(kernel, turned * np.sqrt(8) / np.linalg.norm(turned), atol=1e-5)


@pytest.mark.parametrize(("index", "rate"), [(1, "matrix_rate"), (2, "vector_rate")])
def test_all_else_takes_nesterov_steps(index: int, rate: str) -> None:
    ours, theirs = variables()[index], variables()[index]
    muon = Muon(0.1, other_momentum=0.85, **{rate: 3.0})
    nesterov = keras.optimizers.SGD(0.3, momentum=0.85, nesterov=True)
    for step in range(4):
        muon.apply([gradients(step)[index]], [ours])
        nesterov.apply([gradients(step)[index]], [theirs])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_goes_on_from_a_checkpoint_to_the_bit(tmp_path: Path) -> None:
    def train(steps: range, saved: str | None = None) -> tuple[list[np.ndarray], str]:
        weights = variables()
        muon = Muon(keras.optimizers.schedules.PolynomialDecay(0.2, 10))
        muon.build(weights)
        checkpoint = tf.train.Checkpoint(optimizer=muon, **{str(i): w.value for i, w in enumerate(weights)})
        if saved:
            checkpoint.restore(saved).assert_consumed()
        for step in steps:
            muon.apply(gradients(step), weights)
        return [np.array(w) for w in weights], checkpoint.save(str(tmp_path / "checkpoint"))

    straight, _ = train(range(6))
    _, half = train(range(3))
    resumed, _ = train(range(3, 6), half)
    assert all(np.array_equal(a, b) for a, b in zip(straight, resumed))


@pytest.mark.parametrize("jit", [False, True])
def test_one_compiled_step_is_the_eager_step(jit: bool) -> None:
    compiled, eager = variables(), variables()
    muon, plain = Muon(0.1), Muon(0.1)
    muon.build(compiled)
    step = tf.function(lambda given: muon.apply(given, compiled), jit_compile=jit)
    for number in range(3):
        step(gradients(number))
        plain.apply(gradients(number), eager)
    for a, b in zip(compiled, eager):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_its_config_makes_another_of_the_same_kind() -> None:
    muon = Muon(keras.optimizers.schedules.PolynomialDecay(0.2, 10), momentum=0.5, iterations=4)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(muon))
    assert again.get_config() == muon.get_config()
