"""The devices that train: a tf.distribute strategy by name."""

from __future__ import annotations

import ctypes
import functools
import glob
import importlib.util
import json
import os
import socket
import urllib.parse

import numpy as np
import tensorflow as tf

from components.errors import UserError

_CONNECT = 10  # seconds that a TPU has to answer at its address


@functools.cache  # a TPU is initialised and a cluster joined once in a process
def make_strategy(name: str, tpu: str = "") -> tf.distribute.Strategy:
    """Return the strategy called `name`. Call it before any tensor exists: a TPU must be initialised first.

    Args:
      name: `tpu`, `gpu` (all of this machine's), `multi_worker` (the machines of TF_CONFIG), `cpu`, or `auto`: a TPU,
        else the GPUs, else the CPU.
      tpu: name or address of the TPU; the one of the environment if empty: see `tpu_address`.

    Raises:
      UserError: what is asked for by name is not there.
    """
    if name == "multi_worker":
        return _multi_worker()
    gpus = tf.config.list_physical_devices("GPU")
    if name == "tpu" or (name == "auto" and (tpu or _has_tpu())):
        return _tpu(tpu or tpu_address())
    if name == "gpu" and not gpus:
        raise UserError(f"trainer.strategy is 'gpu', but TensorFlow finds no GPU: {_why_no_gpu()}; or set it to 'auto'")
    if len(gpus) > 1 and name != "cpu":
        return tf.distribute.MirroredStrategy()
    if gpus and name == "cpu":
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    return tf.distribute.get_strategy()  # one device: TensorFlow takes the GPU if there is one


def _why_no_gpu() -> str:
    """Return why TensorFlow sees no GPU, with what to do."""
    if _gpus_are_hidden():
        return "the environment variable CUDA_VISIBLE_DEVICES hides all; unset it"
    if not _gpu_devices():
        return "this machine has none of NVIDIA's, or its container was given none (there is no /dev/nvidia0)"
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return (
            "the driver's libcuda.so.1 is not found; name its folder in LD_LIBRARY_PATH "
            "(/usr/local/nvidia/lib64 in a container on Google Cloud)"
        )
    return (
        "CUDA's libraries are not found; `make setup ACCELERATOR=gpu` installs them here, "
        "and the image made with ACCELERATOR=gpu has them"
    )


def _check_gpus_are_used() -> None:
    """Check that TensorFlow sees the GPUs of this machine: several machines would train on their CPUs without a word.

    Raises:
      UserError: it sees none of them, and nobody hides them.
    """
    if _gpu_devices() and not _gpus_are_hidden() and not tf.config.list_physical_devices("GPU"):
        raise UserError(
            f"trainer.strategy is 'multi_worker', this machine has a GPU, and TensorFlow does not find it: "
            f"{_why_no_gpu()}; or train on CPUs with CUDA_VISIBLE_DEVICES=-1"
        )


def _gpu_devices() -> list[str]:
    return glob.glob("/dev/nvidia[0-9]*") or glob.glob("/dev/dxg")  # the second in Windows' Linux


def _gpus_are_hidden() -> bool:
    return os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return True if this process writes the training's outputs: every process but the workers beside the chief."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or resolver is None:
        return True
    chief = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"  # Vertex AI names its chief
    return (resolver.task_type, resolver.task_id) == (chief, 0)


def any_worker(strategy: tf.distribute.Strategy, flag: bool) -> bool:
    """Return True if `flag` is True on any worker. Collective: every worker must call it."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return flag
    return float(_sum(strategy, tf.constant(float(flag)))) > 0


def of_chief(strategy: tf.distribute.Strategy, values: np.ndarray) -> np.ndarray:
    """Return the chief's `values`, float32, on every worker. Collective: every worker must call it."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return values
    chief = np.float32(is_chief(strategy))
    return (_sum(strategy, tf.constant(values * chief)) / _sum(strategy, tf.constant(chief))).numpy()


@tf.function
def _sum(strategy: tf.distribute.Strategy, value: tf.Tensor) -> tf.Tensor:
    return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(tf.identity, args=(value,)), axis=None)


def tpu_address() -> str:
    """Return the address of the TPU in the environment, else `local`: a TPU attached to this machine, as on a TPU VM.

    TPU_NAME and KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS are set by Google Cloud and Vertex AI, COLAB_TPU_ADDR by Colab's older
    TPU runtimes.
    """
    if os.environ.get("COLAB_TPU_ADDR"):
        return f"grpc://{os.environ['COLAB_TPU_ADDR']}"
    return os.environ.get("KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS") or os.environ.get("TPU_NAME") or "local"


def _has_tpu() -> bool:
    attached = glob.glob("/dev/accel*") or glob.glob("/dev/vfio/[0-9]*")
    return tpu_address() != "local" or bool(attached and importlib.util.find_spec("libtpu"))


def _tpu(address: str) -> tf.distribute.Strategy:
    try:
        if address.startswith("grpc://"):  # TensorFlow would wait for many minutes
            target = urllib.parse.urlsplit(address)
            socket.create_connection((target.hostname, target.port or 8470), timeout=_CONNECT).close()
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0][:200]
        raise UserError(
            f"trainer.strategy is 'tpu', but the TPU '{address}' cannot be used ({reason}): "
            "run on a TPU VM with tensorflow-tpu, or set it to 'auto'"
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def _multi_worker() -> tf.distribute.Strategy:
    form = '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
    text = os.environ.get("TF_CONFIG", "")
    try:
        cluster = json.loads(text or "{}")
        workers = [*cluster["cluster"].get("chief", []), *cluster["cluster"]["worker"]]
        valid = cluster["task"]["type"] in ("chief", "worker") and int(cluster["task"]["index"]) < len(workers)
    except (ValueError, KeyError, TypeError, AttributeError):
        workers, valid = [], False
    if not workers or not valid:
        state = f"is {text[:100]!r}" if text else "is not set"
        raise UserError(
            f"trainer.strategy is 'multi_worker', but the environment variable TF_CONFIG {state}: "
            f"set it to {form} on every machine, each with its own index"
        )
    _check_gpus_are_used()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise UserError(f"trainer.strategy is 'multi_worker', but the machines cannot join ({reason})") from error
