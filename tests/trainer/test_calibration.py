"""The factor of the logits, on a model whose mistakes are known."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.calibration import calibrate


def says(logit: float) -> keras.Sequential:
    """A model that names the class that an image is made of, by that many nats."""
    model = keras.Sequential([keras.Input((1, 1, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Rescaling(logit, name="logits"))
    return model


def batches(right: int, of: int) -> tf.data.Dataset:
    """Images of which so many are what they look like, and two that only fill up the last batch."""
    looks = np.arange(of + 2) % 3
    labels = np.where(np.arange(of + 2) < right, looks, (looks + 1) % 3)
    weights = np.arange(of + 2) < of
    images = np.eye(3, dtype=np.float32)[looks][:, None, None]
    rows = images, np.eye(3, dtype=np.float32)[labels], weights.astype(np.float32)
    return tf.data.Dataset.from_tensor_slices(rows).batch(26, drop_remainder=True)


@pytest.mark.parametrize("logit", [0.1, 1.0, 20.0])
@pytest.mark.parametrize("right", [300, 450])
def test_it_is_as_sure_as_it_is_right(right: int, logit: float) -> None:
    model = says(logit)
    data = batches(right, 492)
    before = model(tf.eye(3)[:, None, None])
    factor = calibrate(model, data)
    after = model(tf.eye(3)[:, None, None])
    np.testing.assert_allclose(after, factor * before, rtol=1e-5)
    sure = tf.nn.softmax(after).numpy().max(1)
    np.testing.assert_allclose(sure, right / 492, atol=0.003)
    # It is saved with the model, and another time there is nothing left to do.
    copy = keras.Sequential.from_config(model.get_config())
    np.testing.assert_array_equal(copy(tf.eye(3)[:, None, None]), after)
    assert calibrate(model, data) == pytest.approx(1, rel=0.01)


def test_a_model_without_a_mistake_on_few_images_keeps_some_doubt() -> None:
    model = says(1.0)
    calibrate(model, batches(24, 24))
    sure = tf.nn.softmax(model(tf.eye(3)[:, None, None])).numpy().max(1)
    assert np.all((sure > 0.95) & (sure < 0.99))
