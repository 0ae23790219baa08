"""Calibration of the confidence: one factor of the logits, fitted on the validation split."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from components.trainer.model import LOGITS

_FACTORS = (0.01, 100.0)  # between which it is searched


def calibrate(model: keras.Sequential, batches: tf.data.Dataset) -> float:
    """Scale the logits of `model`, in place, so that predictions with 90% confidence are correct in 90 of 100 images.

    Smoothed labels and the mean over several views leave a model that is correct more often than it says. No predicted
    class changes, because the order of the logits does not. Source: Guo and others, 'On Calibration of Modern Neural
    Networks', 2017, 'temperature scaling'; the targets are a little below 1, as in Platt, 'Probabilistic Outputs for
    Support Vector Machines', 1999, or a model without an error on few images would never be in doubt.

    Args:
      model: of a network's `build` or `model.mean_of`.
      batches: of `input.validation_batches`.

    Returns:
      the factor.
    """
    predict = tf.function(lambda images: model(images, training=False))
    predictions = [(predict(images)[weights > 0], labels[weights > 0]) for images, labels, weights in batches]
    logits, labels = (np.concatenate(values).astype(np.float64) for values in zip(*predictions))
    doubt = 1 / (len(labels) + 2)
    targets = (1 - doubt) * labels + doubt / labels.shape[1]

    def cross_entropy(exponent: float) -> float:
        return float(-(targets * log_softmax(np.exp(exponent) * logits, axis=1)).sum(1).mean())

    factor = float(np.exp(minimize_scalar(cross_entropy, bounds=np.log(_FACTORS), method="bounded").x))
    model.get_layer(LOGITS).scale *= factor
    return factor
