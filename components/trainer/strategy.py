"""Which devices train: a tf.distribute strategy by name."""

from __future__ import annotations

import glob
import importlib.util
import json
import os
from typing import Any

import tensorflow as tf

from components.errors import UserError


def choose(name: str) -> tf.distribute.Strategy:
    """The strategy called `name`. Call it before any tensor exists: a TPU must be initialised first.

    Args:
        name: `tpu`, `gpu` (all of this machine's), `cpu`, or `auto`: the first of these that there is. Where TF_CONFIG
            names more than one machine, all of them train together, each on what it has.

    Raises:
        UserError: a TPU or a GPU is asked for by name and there is none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if name == "tpu" or (name == "auto" and _has_tpu()):
        return _tpu()
    if name == "gpu" and not gpus:
        raise UserError(
            "trainer.strategy is 'gpu', but TensorFlow finds no GPU on this machine: "
            "install its CUDA libraries (`pip install tensorflow[and-cuda]`), or set it to 'auto'"
        )
    if len(_machines()) > 1:
        return _Workers()
    if gpus and name != "cpu":
        return tf.distribute.MirroredStrategy()
    if gpus:
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes: the only one, or the chief of several machines."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, _Workers) or resolver.task_type == "chief":
        return True
    return "chief" not in resolver.cluster_spec().jobs and resolver.task_id == 0


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Returns when every machine has called it: one that leaves early is taken for lost by the others."""
    if isinstance(strategy, _Workers):
        strategy.reduce(tf.distribute.ReduceOp.SUM, tf.constant(1.0), axis=None)


class _Workers(tf.distribute.MultiWorkerMirroredStrategy):
    """MultiWorkerMirroredStrategy as Keras 3 calls it: `fit` reduces whole structures, and scalars along an axis.

    TensorFlow refuses both, so that `fit` fails on more than one machine (keras issue 20585).
    """

    def reduce(self, reduce_op: Any, value: Any, axis: int | None) -> Any:
        def one(item: Any) -> Any:
            scalar = self.experimental_local_results(item)[0].shape.rank == 0
            return super(_Workers, self).reduce(reduce_op, item, axis=None if scalar else axis)

        return tf.nest.map_structure(one, value)


def _machines() -> list[str]:
    """The addresses in TF_CONFIG, which Vertex AI and others set for a job on several machines."""
    cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    return [address for job in ("chief", "worker") for address in cluster.get(job, [])]


def _has_tpu() -> bool:
    named = bool(os.environ.get("TPU_NAME"))
    return named or bool(glob.glob("/dev/accel*") and importlib.util.find_spec("libtpu"))


def _tpu() -> tf.distribute.Strategy:
    """The TPU that TPU_NAME names, else the one attached to this machine."""
    address = os.environ.get("TPU_NAME") or "local"
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0][:200]
        raise UserError(
            f"trainer.strategy is 'tpu', but the TPU '{address}' cannot be used ({reason}): "
            "run on a TPU VM with tensorflow-tpu, or set it to 'auto'"
        ) from error
    return tf.distribute.TPUStrategy(resolver)
