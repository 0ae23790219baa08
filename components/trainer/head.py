"""The last layer of a pretrained network, fitted on the features of the layers before it, which stay as they are.

Each image passes the network once; then the layer is fitted to convergence in seconds. Source: Donahue and others,
'DeCAF: A Deep Convolutional Activation Feature for Generic Visual Recognition', 2014.
"""

from __future__ import annotations

import io
import time
import zipfile
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from absl import logging
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from components import files, progress
from components.contracts import features as f
from components.errors import Stopped, UserError
from components.trainer import input as data
from components.trainer import interrupt
from components.trainer import strategy as devices
from components.trainer.loop import LastLayer, distributed
from components.trainer.plan import Plan

_AFTER_FEATURES = 3  # layers: Dropout, Dense and Rescaling
_STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # scikit-learn's C: the inverse of the regularisation
_ITERATIONS = 200  # of the solver, at most
_MOST_BYTES = 1_000_000_000  # of the features of a split: the regression needs all of them in memory
_ABSENT = -20.0  # the logit of a class without a training image


@dataclass(frozen=True)
class Features:
    """The features of a split: what the last layer sees."""

    values: np.ndarray  # float32 [N, F], in the order of the files
    labels: np.ndarray  # int64 [N]


class Kept:
    """The file in which the features of a split are kept, to resume from."""

    def __init__(self, path: str, seconds: float, writes: bool) -> None:
        """Keep features in the file at `path`.

        Args:
          path: nothing is kept if empty.
          seconds: between two writes, at least.
          writes: False for a worker beside the chief, which only reads.
        """
        self._path, self._seconds, self._writes, self._saved = path, seconds, writes, time.monotonic()

    def read(self) -> list[Features]:
        """Return what is kept, in one part; none if nothing is.

        Raises:
          UserError: it cannot be read.
        """
        if not self._path or not files.exists(self._path):
            return []
        try:
            with np.load(io.BytesIO(files.read_bytes(self._path))) as arrays:
                return [Features(arrays["values"], arrays["labels"])]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(
                f"the features in {self._path} cannot be read ({files.error_reason(error)}): remove that file"
            ) from error

    def write(self, parts: list[Features]) -> None:
        """Write the file as a whole or not at all."""
        if self._path and self._writes:
            content, features = io.BytesIO(), _joined(parts)
            np.savez(content, values=features.values, labels=features.labels)
            files.write(self._path, content.getvalue())
            self._saved = time.monotonic()

    def write_if_due(self, parts: list[Features]) -> None:
        if time.monotonic() - self._saved >= self._seconds:
            self.write(parts)


def fit(
    model: keras.Sequential,
    splits: tuple[data.Split, data.Split],
    plan: Plan,
    strategy: tf.distribute.Strategy,
    folder: str,
) -> LastLayer:
    """Set the last layer of `model` to the logistic regression with the least cross entropy on the validation images.

    Args:
      splits: for training, and for validation.
      folder: in which features are kept, to resume from; they are not if it is empty.

    Raises:
      Stopped: see `extract`.
    """
    writes, seconds = devices.is_chief(strategy), plan.settings.checkpoint_seconds
    names = (f"{folder}/{name}.npz" if folder else "" for name in (f.TRAIN, f.VALIDATION))
    train, validation = (
        extract(model, split, plan, strategy, Kept(name, seconds, writes)) for split, name in zip(splits, names)
    )
    kernel, bias = (devices.of_chief(strategy, values) for values in _regress(train, validation, plan))
    model.layers[-2].set_weights([kernel, bias])
    logits = log_softmax(train.values @ kernel + bias, axis=1)
    smoothing = plan.settings.label_smoothing
    losses = -(1 - smoothing) * logits[np.arange(len(logits)), train.labels] - smoothing * logits.mean(1)
    accuracy = np.mean(logits.argmax(1) == train.labels)
    return LastLayer(float(losses.mean()), float(accuracy), len(logits))


def _regress(train: Features, validation: Features, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel, float32 [F, K], and bias, float32 [K]."""
    weighted = np.array(plan.class_weights)[train.labels] if plan.class_weights else None
    best, least, chosen = None, np.inf, 0.0
    regression = LogisticRegression(max_iter=_ITERATIONS, warm_start=True)
    for strength in _STRENGTHS:
        regression.set_params(C=strength).fit(train.values, train.labels, weighted)
        weights = _weights(regression, plan.classes)
        cross_entropy = _cross_entropy(validation, *weights)
        if cross_entropy >= least:
            break
        best, least, chosen = weights, cross_entropy, strength
    assert best is not None
    logging.info("last layer: C %g, cross entropy on validation %.3f", chosen, least)
    kernel, bias = best
    return kernel.astype(np.float32), bias.astype(np.float32)


def extract(
    model: keras.Sequential, split: data.Split, plan: Plan, strategy: tf.distribute.Strategy, kept: Kept
) -> Features:
    """Return the features of the images of `split`; resume where an earlier call stopped.

    ExampleGen shuffles the images, so that the first ones of a split too large for memory are a sample of it.

    Raises:
      Stopped: after Ctrl-C, SIGTERM or SIGHUP, on any worker; the features so far are kept.
    """
    size, parts = plan.settings.batch_size, kept.read()
    width = model.layers[-2].kernel.shape[0]
    most = max(1, _MOST_BYTES // (4 * width) // size)  # batches
    done = -(-sum(len(part.labels) for part in parts) // size)  # batches: the last one may be smaller
    count = min(split.count, most * size)
    if count < split.count:
        logging.info("the last layer is fitted on %d of %d images", count, split.count)

    def of_replica(images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
        for layer in model.layers[:-_AFTER_FEATURES]:
            images = layer(images, training=False)
        return tf.cast(images, tf.float32), tf.argmax(labels, 1), weights

    @tf.function
    def of_batch(batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        return tuple(strategy.gather(values, axis=0) for values in strategy.run(of_replica, args=batch))

    batches = distributed(lambda part: data.validation_batches(split, plan, part).take(most).skip(done), size, strategy)
    with interrupt.stop_requested() as stop:
        for number, batch in enumerate(batches, done + 1):
            values, labels, weights = (tensor.numpy() for tensor in of_batch(batch))
            parts.append(Features(values[weights > 0], labels[weights > 0]))
            where = f"features of image {min(number * size, count):,} of {count:,}"
            progress.report(where)
            if devices.any_worker(strategy, stop.is_set()):
                kept.write(parts)
                raise Stopped(where, stop.number)
            kept.write_if_due(parts)
    kept.write(parts)
    return _joined(parts)


def _joined(parts: list[Features]) -> Features:
    return Features(np.concatenate([p.values for p in parts]), np.concatenate([p.labels for p in parts]))


def _weights(regression: LogisticRegression, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel, float64 [F, K], and bias, float64 [K], of the fitted regression."""
    coefficients, intercepts = regression.coef_, regression.intercept_
    if len(regression.classes_) == 2:  # scikit-learn has one logit for two classes
        coefficients, intercepts = np.concatenate([-coefficients, coefficients]) / 2, intercepts * [-0.5, 0.5]
    kernel, bias = np.zeros((coefficients.shape[1], classes)), np.full(classes, _ABSENT)
    kernel[:, regression.classes_], bias[regression.classes_] = coefficients.T, intercepts
    return kernel, bias


def _cross_entropy(features: Features, kernel: np.ndarray, bias: np.ndarray) -> float:
    logits = log_softmax(features.values @ kernel + bias, axis=1)
    return float(-logits[np.arange(len(logits)), features.labels].mean())
