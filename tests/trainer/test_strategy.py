"""Strategies by name; each in a fresh process, since looking for a TPU changes TensorFlow's context."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any
from unittest import mock

import pytest
import tensorflow as tf

from components.trainer import precision, strategy
from components.trainer.config import Settings
from components.trainer.plan import resolve
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


@pytest.mark.slow
def test_one_machine_of_tf_config_trains_alone() -> None:
    config = {"cluster": {"worker": ["127.0.0.1:0"]}, "task": {"type": "worker", "index": 0}}
    assert choose("multi_worker", TF_CONFIG=json.dumps(config)) == "CollectiveAllReduceStrategy 1"


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
