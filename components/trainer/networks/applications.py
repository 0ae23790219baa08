"""Networks of keras.applications with weights that were trained on ImageNet.

MobileNetV3-Large (Howard and others, 2019, https://arxiv.org/abs/1905.02244), EfficientNetV2-B0 (Tan and Le, 2021,
https://arxiv.org/abs/2104.00298), ConvNeXt-Tiny (Liu and others, 2022, https://arxiv.org/abs/2201.03545) and ResNet50
(He and others, 2015, https://arxiv.org/abs/1512.03385), without their last layer. Keras builds them and reads the file
of their weights; what is trained is a copy whose layers have seeds, and fit strategies, a TPU and TensorFlow Serving.
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import applications, layers

from components import files
from components.errors import UserError
from components.trainer import networks
from components.trainer.config import Settings
from components.trainer.layers import BatchNormalization
from components.trainer.networks import pretrained

optimizer = pretrained.optimizer


class _Application(NamedTuple):
    make: Callable[..., keras.Model]
    arguments: Mapping[str, Any]
    bgr: str = ""  # the layer that takes blue, green and red in the published weights


# The settings that all convolutions have, and Dense as far as it can.
_OF_CONVOLUTIONS = ("name", "dtype", "kernel_size", "strides", "padding", "activation", "use_bias", "bias_initializer")
_RAW = {"include_preprocessing": False}  # Transform normalises: Traits.pretraining
_APPLICATIONS = {
    "mobilenet_v3_large": _Application(applications.MobileNetV3Large, _RAW),
    "efficientnetv2_b0": _Application(applications.EfficientNetV2B0, _RAW),
    "convnext_tiny": _Application(applications.ConvNeXtTiny, _RAW),
    "resnet50": _Application(applications.ResNet50, {}, bgr="conv1_conv"),
}


def build(settings: Settings, classes: int) -> keras.Sequential:
    """Return the network, from float32 [N, size, size, 3] to logits, float32 [N, classes].

    Args:
      settings: `network`, `size`, `weights`, `fine_tune` and `seed` are read.
      classes: number of classes.
    """
    draws = random.Random(settings.seed)  # a seed for each initializer: see airbench.build
    body = keras.models.clone_model(
        _of_keras(settings),
        clone_function=lambda layer: _copy(layer, draws),
        call_function=lambda layer, *inputs, **_: layer(*inputs),  # what is left out is no mask, and not training
        recursive=True,
    )
    if settings.weights != networks.NONE:
        pretrained.freeze(body, settings.fine_tune)
    return pretrained.classifier(body, classes, draws)


def prepare(model: keras.Sequential, settings: Settings, images: Callable[[], tf.Tensor]) -> None:
    """Load the weights that `settings` name.

    Raises:
      UserError: the file cannot be read, or holds those of another network.
    """
    if settings.weights == networks.NONE:
        return
    path = settings.weights_file
    try:
        with _on_this_machine(path) as local:
            if files.sha256(local) != settings.weights_sha256:
                raise UserError(f"trainer.weights: {path}: it is not the file that was expected: its hash differs")
            source = _of_keras(settings)
            source.load_weights(local)
    except (OSError, tf.errors.OpError, zipfile.BadZipFile) as error:
        raise UserError(f"trainer.weights: cannot read {path}: {files.error_reason(error)}") from None
    except (ValueError, KeyError) as error:
        reason = files.error_reason(error).strip("'\"")
        raise UserError(
            f"trainer.weights: {path} does not hold the weights of {settings.network} without its top, as Keras saves "
            f"them: {reason}"
        ) from None
    bgr = _APPLICATIONS[settings.network].bgr
    for theirs, ours in zip(source.layers, model.layers[0].layers, strict=True):
        # What is computed in another way has kernels of another shape, whose numbers are in the same order.
        shapes = [weight.shape for weight in ours.weights]
        values = [value.reshape(shape) for value, shape in zip(theirs.get_weights(), shapes, strict=True)]
        if bgr and ours.name == bgr:
            values[0] = values[0][:, :, ::-1]
        ours.set_weights(values)


def _of_keras(settings: Settings) -> keras.Model:
    """Return Keras' own body, from images to pooled features, with random weights."""
    application = _APPLICATIONS[settings.network]
    shape = (settings.size, settings.size, 3)
    return application.make(include_top=False, weights=None, input_shape=shape, pooling="avg", **application.arguments)


def _copy(layer: Any, draws: random.Random) -> Any:
    """Return a copy of a layer, or of an operation between layers, with random weights from seeds of `draws`."""
    config = layer.get_config()
    for part in (config, *(value.get("config") or {} for value in config.values() if isinstance(value, dict))):
        if "seed" in part:  # of Dropout itself, or of an initializer
            part["seed"] = draws.randint(1, 10**9)
    if isinstance(layer, layers.BatchNormalization):
        return BatchNormalization.from_config({**config, "synchronized": True})
    kept = {key: config[key] for key in _OF_CONVOLUTIONS if key in config}
    if isinstance(layer, layers.Conv2D) and layer.groups == layer.filters > 1:
        # Keras has XLA compile groups, which takes 15 times as long on a CPU, and not every server can.
        return layers.DepthwiseConv2D.from_config({**kept, "depthwise_initializer": config["kernel_initializer"]})
    if isinstance(layer, layers.Dense):  # of each pixel; TensorFlow's gradient takes 2 to 6 times as long on a CPU
        initializer = config["kernel_initializer"]
        return layers.Conv2D.from_config(
            {**kept, "filters": layer.units, "kernel_size": 1, "kernel_initializer": initializer}
        )
    return type(layer).from_config(config)


@contextlib.contextmanager
def _on_this_machine(path: str) -> Iterator[str]:
    """Give the path of a local copy of a remote file, else `path`: Keras reads its older format from local files."""
    if not files.is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, os.path.basename(path))
        files.write(local, files.read_bytes(path))
        yield local
