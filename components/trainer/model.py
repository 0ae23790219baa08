"""The served model: the mean of the trained networks over several views of an image."""

from __future__ import annotations

import keras
from keras import layers

from components.trainer.layers import MeanOfViews, Views

LOGITS = "logits"  # the last layer of every network, a Rescaling


def mean_of(networks: list[keras.Sequential]) -> keras.Sequential:
    """Return one model whose logits are the mean of those of several networks; it shares their layers.

    Source: Lakshminarayanan and others, 'Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles',
    2017, where the mean is that of probabilities.
    """
    if len(networks) == 1:
        return networks[0]
    images = keras.Input(networks[0].input_shape[1:])
    ensemble = keras.Model(images, layers.Average(dtype="float32")([network(images) for network in networks]))
    return keras.Sequential([keras.Input(images.shape[1:]), ensemble, layers.Rescaling(1.0, name=LOGITS)])


def over_views(model: keras.Sequential, views: int) -> keras.Sequential:
    """Return a model that shares the layers of `model` and returns the mean over so many views: 1, 2 or 6."""
    if views == 1:
        return model
    return keras.Sequential([model.inputs[0], Views(views), *model.layers, MeanOfViews(views, dtype="float32")])
