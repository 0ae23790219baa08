"""The plan of a training: batch, learning rate, steps and precision, resolved once for the available devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from components.trainer import networks, precision
from components.trainer.config import Settings

# Training images below which training more layers of a pretrained network was worse than its last layer alone, and a
# tenth as many, for validation, cannot tell which is better (docs/photos.md).
_FEW = 1_000


@dataclass(frozen=True)
class Plan:
    """The training of one network."""

    # With the batch size and the learning rate over all replicas, the seed of this network, and `fine_tune` chosen.
    settings: Settings
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
    traits = networks.traits(settings.network)
    replicas = strategy.num_replicas_in_sync
    factor = replicas if settings.per_replica else 1
    batch_size = max(1, min(settings.batch_size * factor, images) // replicas) * replicas
    resolved = settings.model_copy(
        update={
            **_fine_tuning(settings, traits, images),
            "batch_size": batch_size,
            "learning_rate": settings.learning_rate * factor,
            "per_replica": False,
            "seed": settings.seed + network,
        }
    )
    computing = precision.choose(settings.precision, strategy, traits.depthwise)
    return Plan(resolved, images // batch_size, computing, classes)


def _fine_tuning(settings: Settings, traits: networks.Traits, images: int) -> dict[str, Any]:
    """Return the settings that say what is trained after the last layer of a pretrained network is fitted."""
    if traits.pretraining is None or settings.weights == networks.NONE:
        return {}
    fine_tune = settings.fine_tune
    if fine_tune == "auto":
        fine_tune = "none" if images < _FEW else "last"
    return {"fine_tune": fine_tune, **({"epochs": 0} if fine_tune == "none" else {})}
