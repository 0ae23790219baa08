"""Strategies by name; each in a fresh process, since looking for a TPU changes TensorFlow's context."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from components.errors import UserError
from components.trainer import strategy
try:
    chosen = strategy.choose(sys.argv[1])
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


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_without_an_accelerator_the_cpu_trains(name: str) -> None:
    assert choose(name) == "_DefaultDistributionStrategy 1"


@pytest.mark.parametrize(("name", "environment", "said"), [
    ("gpu", {}, "trainer.strategy is 'gpu', but TensorFlow finds no GPU"),
    ("tpu", {}, "trainer.strategy is 'tpu', but the TPU 'local' cannot be used (TPUs not found in the cluster)"),
])  # fmt: skip
def test_what_is_not_there_is_refused_in_one_line(name: str, environment: dict[str, str], said: str) -> None:
    message = choose(name, **environment)
    assert message.startswith("UserError " + said)
    assert "set it to 'auto'" in message
    assert "\n" not in message
