"""Strategies by name; each in a fresh process, since looking for a TPU changes TensorFlow's context."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import tensorflow as tf

from components.errors import UserError
from components.trainer import precision, strategy
from components.trainer.config import Settings
from components.trainer.plan import resolve
from pipeline import ROOT
from tests.trainer.conftest import settings_of

PROGRAM = """
import sys
from components.errors import UserError
from components.trainer import strategy
try:
    chosen = strategy.make_strategy(sys.argv[1])
    print(type(chosen).__name__, chosen.num_replicas_in_sync)
except UserError as error:
    print("UserError", error)
import tensorflow as tf
if tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("TPU"):
    print("accelerator")
"""


def choose(name: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", **environment},
    )
    if "accelerator" in done.stdout:
        pytest.skip("this machine has an accelerator")
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_without_an_accelerator_the_cpu_trains(name: str) -> None:
    assert choose(name) == "_DefaultDistributionStrategy 1"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "environment", "said"), [
    ("gpu", {}, "trainer.strategy is 'gpu', but TensorFlow finds no GPU"),
    ("tpu", {}, "trainer.strategy is 'tpu', but the TPU 'local' cannot be used (TPUs not found in the cluster)"),
    ("tpu", {"TPU_NAME": "grpc://127.0.0.1:1"}, "trainer.strategy is 'tpu', but the TPU 'grpc://127.0.0.1:1' "),
    ("multi_worker", {}, "trainer.strategy is 'multi_worker', but the environment variable TF_CONFIG is not set"),
    ("multi_worker", {"TF_CONFIG": "{"}, "trainer.strategy is 'multi_worker', but the environment variable TF_CONFIG "),
])  # fmt: skip
def test_what_is_not_there_is_refused_in_one_line(name: str, environment: dict[str, str], said: str) -> None:
    message = choose(name, **environment)
    assert message.startswith("UserError " + said)
    assert "set it to 'auto'" in message or "with its own index" in message
    assert "\n" not in message


@pytest.mark.parametrize(("environment", "devices", "driver", "said"), [
    ({"CUDA_VISIBLE_DEVICES": "-1"}, True, True, "the environment variable CUDA_VISIBLE_DEVICES hides all; unset it"),
    ({}, False, False, "this machine has none of NVIDIA's, or its container was given none (there is no /dev/nvidia0)"),
    ({}, True, False, "the driver's libcuda.so.1 is not found; name its folder in LD_LIBRARY_PATH (/usr/local/nvidia/"),
    ({}, True, True, "CUDA's libraries are not found; `make setup ACCELERATOR=gpu` installs them here, and the image "),
])  # fmt: skip
def test_a_gpu_that_is_not_found_is_explained(
    environment: dict[str, str], devices: bool, driver: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_library(name: str) -> None:
        if not driver:
            raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("glob.glob", lambda pattern: ["/dev/nvidia0"] if devices and "nvidia" in pattern else [])
    monkeypatch.setattr("ctypes.CDLL", open_library)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    strategy.make_strategy.cache_clear()
    with pytest.raises(UserError) as refused:
        strategy.make_strategy("gpu")
    assert f"trainer.strategy is 'gpu', but TensorFlow finds no GPU: {said}" in str(refused.value)
    assert "pip install" not in str(refused.value)
    # Several machines, whose GPUs are paid for, would train on their CPUs.
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: "joined")
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["127.0.0.1:0"]}, "task": {"type": "worker", "index": 0}}')
    strategy.make_strategy.cache_clear()
    if devices and not environment:
        with pytest.raises(UserError, match="this machine has a GPU, and TensorFlow does not find it"):
            strategy.make_strategy("multi_worker")
    else:
        assert strategy.make_strategy("multi_worker") == "joined"
    strategy.make_strategy.cache_clear()


def test_tensorflow_is_told_where_pip_puts_libtpu(tmp_path: Path) -> None:
    (tmp_path / "libtpu").mkdir()
    (tmp_path / "libtpu" / "__init__.py").touch()
    code = "import os, components; print(os.environ.get('TPU_LIBRARY_PATH'))"
    for environment, expected in (
        ({}, "None"),
        ({"PYTHONPATH": str(tmp_path)}, f"{tmp_path}/libtpu/libtpu.so"),
        ({"PYTHONPATH": str(tmp_path), "TPU_LIBRARY_PATH": "/lib/libtpu.so"}, "/lib/libtpu.so"),
    ):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
        assert done.stdout.strip() == expected


@pytest.mark.slow
def test_one_machine_of_tf_config_trains_alone() -> None:
    config = {"cluster": {"worker": ["127.0.0.1:0"]}, "task": {"type": "worker", "index": 0}}
    chosen = choose("multi_worker", TF_CONFIG=json.dumps(config), CUDA_VISIBLE_DEVICES="-1")
    assert chosen == "CollectiveAllReduceStrategy 1"


@pytest.mark.parametrize(("environment", "address"), [
    ({}, "local"),
    ({"TPU_NAME": "mine"}, "mine"),
    ({"KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS": "grpc://10.0.0.2:8470"}, "grpc://10.0.0.2:8470"),
    ({"COLAB_TPU_ADDR": "10.0.0.2:8470"}, "grpc://10.0.0.2:8470"),
])  # fmt: skip
def test_the_environment_names_the_tpu(environment: dict[str, str], address: str) -> None:
    with mock.patch.dict(os.environ, environment):
        assert strategy.tpu_address() == address


def test_the_batch_is_over_all_replicas_unless_both_it_and_the_rate_grow_with_them() -> None:
    def resolved(replicas: int, images: int = 1000, **changes: Any) -> Settings:
        devices = mock.Mock(num_replicas_in_sync=replicas)
        return resolve(settings_of(batch_size=64, learning_rate=0.1, **changes), devices, images, 10).settings

    assert resolved(4) == settings_of(batch_size=64, learning_rate=0.1)
    assert resolved(3).batch_size == 63, "a multiple of the replicas"
    assert resolved(4, 50).batch_size == 48, "no more than there are"
    grown = resolved(4, per_replica=True)
    assert (grown.batch_size, grown.learning_rate) == (256, 0.4)


@pytest.mark.parametrize(("flags", "onednn", "chosen"), [
    ("fma avx512f avx512_bf16", "1", "bfloat16"),
    ("fma avx512f avx512_bf16", "0", "float32"),
    ("fma avx512f", "1", "float32"),
])  # fmt: skip
def test_auto_takes_bfloat16_where_the_cpu_is_fast_in_it(flags: str, onednn: str, chosen: str) -> None:
    on_cpu = tf.distribute.get_strategy()
    with (
        mock.patch.dict(os.environ, {"TF_ENABLE_ONEDNN_OPTS": onednn}),
        mock.patch("pathlib.Path.read_text", return_value=f"flags : {flags}"),
        mock.patch("platform.machine", return_value="x86_64"),
    ):
        assert precision.choose("auto", on_cpu) == chosen
        assert precision.choose("float32", on_cpu) == "float32"
        assert precision.choose("bfloat16", on_cpu) == "bfloat16"
