"""The layers of our own, each against the plain definition."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.layers import BatchNormalization, Dirac, MeanOfViews, Views


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(1.5, 2, shape).astype(np.float32)


@pytest.mark.parametrize("settings", [{}, {"scale": False}, {"center": False}])
def test_normalises_as_keras_does(settings: dict[str, bool]) -> None:
    ours = BatchNormalization(momentum=0.6, epsilon=1e-5, **settings)
    theirs = keras.layers.BatchNormalization(momentum=0.6, epsilon=1e-5, **settings)
    images = normal(8, 6, 6, 5)
    for _ in range(3):
        np.testing.assert_allclose(ours(images, training=True), theirs(images, training=True), atol=1e-4)
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=1e-4)
    np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, rtol=1e-4)
    np.testing.assert_allclose(ours(images), theirs(images), atol=1e-4)


def test_normalises_bfloat16_with_sums_in_float32() -> None:
    layer = BatchNormalization(dtype="mixed_bfloat16")
    images = tf.cast(normal(64, 16, 16, 4), tf.bfloat16)
    result = layer(images, training=True)
    assert result.dtype == tf.bfloat16
    assert layer.moving_mean.dtype == "float32"
    np.testing.assert_allclose(np.mean(tf.cast(result, tf.float32), (0, 1, 2)), 0, atol=2e-3)


@pytest.mark.parametrize("settings", [{}, {"scale": False}, {"center": False}])
def test_frozen_it_learns_nothing_and_computes_and_derives_as_keras(settings: dict[str, bool]) -> None:
    images, weight = tf.constant(normal(8, 4, 4, 3)), tf.constant(normal(8, 4, 4, 3))
    results = []
    for kind in (BatchNormalization, keras.layers.BatchNormalization):
        layer = kind(epsilon=1e-3, **settings)
        layer.build(images.shape)
        values = [np.linspace(0.5, 2, 3, dtype=np.float32) + number for number in range(len(layer.weights))]
        layer.set_weights(values)
        layer.trainable = False
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images, training=True)
        results.append([outputs, tape.gradient(outputs, images, weight), layer(images, training=False)])
        for before, after in zip(values, layer.get_weights()):
            np.testing.assert_array_equal(before, after)
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_frozen_it_stays_in_bfloat16() -> None:
    layer = BatchNormalization(dtype="mixed_bfloat16")
    layer.trainable = False
    assert layer(tf.cast(normal(2, 4, 4, 3), tf.bfloat16), training=True).dtype == tf.bfloat16


def test_gradients_are_those_of_keras() -> None:
    images, weight = tf.constant(normal(8, 4, 4, 3)), tf.constant(normal(8, 4, 4, 3))
    gradients = []
    for kind in (BatchNormalization, keras.layers.BatchNormalization):
        layer = kind(epsilon=1e-5)
        layer.build(images.shape)
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(layer(images, training=True) * weight)
        gradients.append(tape.gradient(loss, [images, layer.gamma.value, layer.beta.value]))
    for ours, theirs in zip(*gradients):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("views", [2, 6])
def test_the_mean_over_views(views: int) -> None:
    images = normal(3, 4, 5, 2)
    both = [images, images[:, :, ::-1]]
    wide = [np.pad(view, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect") for view in both]
    moved = [view[:, 2:, 2:] for view in wide] + [view[:, :-2, :-2] for view in wide]
    expected = sum(both) / 2 if views == 2 else sum(both) / 4 + sum(moved) / 8
    model = keras.Sequential([keras.Input((4, 5, 2)), Views(views), MeanOfViews(views)])
    np.testing.assert_allclose(model(images), expected, rtol=1e-5)


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 5), (5, 3), (4, 4)])
def test_dirac_hands_on_its_inputs(inputs: int, outputs: int) -> None:
    layer = keras.layers.Conv2D(outputs, 3, padding="same", use_bias=False, kernel_initializer=Dirac(seed=1))
    images = normal(2, 6, 6, inputs)
    same = min(inputs, outputs)
    np.testing.assert_allclose(layer(images)[..., :same], images[..., :same], rtol=1e-5)
    others = np.abs(layer.kernel[..., same:])
    assert np.all(others <= 1 / np.sqrt(9 * inputs))
    assert others.size == 0 or np.std(layer.kernel[..., same:]) > 0.5 / np.sqrt(27 * inputs)
