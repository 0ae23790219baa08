"""The numeric precision of the network."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

FLOAT32, BFLOAT16 = "float32", "bfloat16"
_AMPERE = (8, 0)  # the first of NVIDIA's compute capabilities with bfloat16


def choose(name: str, strategy: tf.distribute.Strategy, depthwise: bool = False) -> str:
    """Return `float32` or `bfloat16`: `name`, or for `auto` bfloat16 if the devices of `strategy` are fast in it.

    Args:
      depthwise: the network's convolutions are of one channel each, which CPUs are slow at in bfloat16.
    """
    if name != "auto":
        return name
    if isinstance(strategy, tf.distribute.TPUStrategy):
        return BFLOAT16
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and not isinstance(
        strategy, tf.distribute.OneDeviceStrategy
    ):  # which is the CPU: see strategy.make_strategy
        capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability") for gpu in gpus]
        return BFLOAT16 if all(c is not None and c >= _AMPERE for c in capabilities) else FLOAT32
    return BFLOAT16 if _cpu_has_bfloat16() and not depthwise else FLOAT32


def _cpu_has_bfloat16() -> bool:
    """Return True if the CPU has the instructions and oneDNN, which uses them, is on; otherwise bfloat16 is slow."""
    on = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") not in ("0", "false")
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return on and platform.machine() == "x86_64" and "avx512_bf16" in flags


@contextmanager
def computing_in(name: str) -> Iterator[None]:
    """Let the layers created in this context compute in `name` and keep their weights in float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if name == BFLOAT16 else FLOAT32)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
