"""The hardest pictures of each batch, found by a small network that is trained beside the one that learns from them."""

from __future__ import annotations

import dataclasses

import keras
import tensorflow as tf

from components.trainer.model import build_model, whiten
from components.trainer.optimizer import build_optimizer
from components.trainer.settings import Settings

_NARROWER = 4  # times, than the network that it chooses for
_LEAST_WIDTH = 16


def trained(settings: Settings, replicas: int) -> int:
    """Pictures of a step that the network learns from, over all replicas: `hardest` of each one's part of the batch."""
    return replicas * max(1, int(settings.batch_size // replicas * settings.hardest))


class Hardest:
    """Chooses the pictures of a batch on which a proxy, a narrow copy of the network, has the highest loss.

    Late in a long training most pictures are right and teach little. Sources: Jordan, `airbench96_faster.py` of
    https://github.com/KellerJordan/cifar10-airbench, 2024; after Jiang and others, 'Accelerating Deep Learning by
    Focusing on the Biggest Losers', 2019, where the network itself chooses. There the proxy learns from what it
    chooses, here from all: what errs least on its own hardest pictures is one answer to all of them.

    Attributes:
      model, optimizer: of the proxy.
    """

    def __init__(self, settings: Settings, classes: int, pictures: tf.Tensor, steps: int, replicas: int) -> None:
        """
        Args:
          settings: of the network.
          pictures: to begin with, as `model.whiten` takes them.
          steps: of the whole training.
        """
        narrow = dataclasses.replace(settings, width=max(_LEAST_WIDTH, settings.width // _NARROWER), depth=2)
        self.model = build_model(narrow, classes)
        whiten(self.model, pictures)
        self.optimizer = build_optimizer(narrow, steps)
        self.optimizer.build(self.model.trainable_variables)
        self._trained, self._replicas = trained(settings, replicas), replicas
        self._cost = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing, reduction="none"
        )

    def choose(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Those of one replica's pictures, float32 [N, S, S, 3], and labels, float32 [N, K], to learn from."""
        with tf.GradientTape() as tape:
            losses = self._cost(labels, tf.cast(self.model(images, training=True), tf.float32))
            loss = tf.reduce_mean(losses) / self._replicas
        weights = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        chosen = tf.math.top_k(losses, self._trained // self._replicas).indices
        return tf.gather(images, chosen), tf.gather(labels, chosen)
