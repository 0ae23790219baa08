"""The plan of a training: batch, learning rate, steps and precision, resolved once for the available devices."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from components.trainer import precision
from components.trainer.config import Settings


@dataclass(frozen=True)
class Plan:
    """The training of one network."""

    settings: Settings  # with the batch size and the learning rate over all replicas, and the seed of this network
    steps: int  # an epoch: its whole batches; each epoch leaves out another remainder
    precision: str  # what the network computes in: float32 or bfloat16
    classes: int
    class_weights: tuple[float, ...] = ()  # of each class in the training loss; empty: all the same


def resolve(settings: Settings, strategy: tf.distribute.Strategy, images: int, classes: int, network: int = 0) -> Plan:
    """Resolve the plan for `settings` on the devices of `strategy`.

    The batch is the same whatever trains it, and so is the rate, unless `per_replica` says that both are of one
    replica: then both grow with their number. Source: Goyal et al., 'Accurate, Large Minibatch SGD', 2017, the linear
    scaling rule. A batch has no more images than there are, and is rounded down to a multiple of the replicas.

    Args:
      images: in the training split.
      network: of the ensemble, from 0; it is added to the seed.
    """
    replicas = strategy.num_replicas_in_sync
    factor = replicas if settings.per_replica else 1
    batch_size = max(1, min(settings.batch_size * factor, images) // replicas) * replicas
    resolved = settings.model_copy(
        update={
            "batch_size": batch_size,
            "learning_rate": settings.learning_rate * factor,
            "per_replica": False,
            "seed": settings.seed + network,
        }
    )
    return Plan(resolved, images // batch_size, precision.choose(settings.precision, strategy), classes)
