"""The networks that `trainer.network` can name. A network says how it is built, prepared and optimized.

It is a module of this package with the functions of `Network`, listed in NETWORKS, or a function in a file of the
user's (from_file.py). Importing this package loads no Keras: the configuration reads NETWORKS.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from components.trainer.config import Settings

DEFAULT = "airbench"


class Network(Protocol):
    """The functions of a module of this package.

    Its input is what Transform gives: float32 [N, S, S, 3], each channel of mean 0 and variance 1 over the training
    split. A network that expects other values begins with a layer that makes them.
    """

    def build(self, settings: Settings, classes: int) -> keras.Sequential:
        """Return the network, from images to logits, float32 [N, classes], of a last layer called `model.LOGITS`.

        That layer is a Rescaling in float32: `calibration.calibrate` sets its scale.
        """

    def prepare(self, model: keras.Sequential, images: tf.Tensor) -> None:
        """Set the weights that are not learned from the first batch of training images."""

    def optimizer(self, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
        """Return the optimizer, for a learning rate at the start and the number of all steps."""


class Traits(NamedTuple):
    """The facts about a network that are needed before Keras is loaded."""

    module: str  # with the functions of `Network`; spelled out, so that its code is in the fingerprint of the stage
    learning_rate: float  # default of trainer.learning_rate, which means what the network's optimizer makes of it
    learning_rates: tuple[float, float]  # the range in which the Tuner searches it by default
    settings: tuple[str, ...] = ()  # keys of `trainer` that no other network reads


NETWORKS = {
    "airbench": Traits("components.trainer.networks.airbench", 0.08, (0.02, 0.4), ("stem_stride", "width", "depth")),
}
_FROM_FILE = Traits("components.trainer.networks.from_file", 0.001, (0.0002, 0.005))


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


def find(settings: Settings) -> Network:
    """Return the network that `settings` name."""
    if settings.network in NETWORKS:
        module: Network = importlib.import_module(NETWORKS[settings.network].module)
        return module
    from components.trainer.networks.from_file import FromFile

    return FromFile(settings.network, settings.network_code)
