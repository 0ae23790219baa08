"""Which devices train: a tf.distribute strategy by name."""

from __future__ import annotations

import glob
import importlib.util
import os

import tensorflow as tf

from components.errors import UserError


def choose(name: str) -> tf.distribute.Strategy:
    """The strategy called `name`. Call it before any tensor exists: a TPU must be initialised first.

    Args:
        name: `tpu`, `gpu` (all of this machine's), `cpu`, or `auto`: the first of these that there is.

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
    if gpus and name != "cpu":
        return tf.distribute.MirroredStrategy()
    if gpus:
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    return tf.distribute.get_strategy()


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
