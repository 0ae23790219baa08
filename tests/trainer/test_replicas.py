"""The same global batch gives the same loss curve on 1, 2 and 4 devices.

The tolerance: sums of floats in another order differ in the last bits, and training enlarges that step by step.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.conftest import Data

pytestmark = pytest.mark.slow

TOLERANCE = 2e-3  # relative, of the losses of three epochs

# On as many logical CPUs as it is told, one after the other; prints the history of each.
DEVICES = """
import json, pickle, sys
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
)
from components.trainer import train
from components.trainer.settings import Settings

fn_args = pickle.load(open(sys.argv[1], "rb"))
settings = Settings(**fn_args.custom_config)
inputs = train.read(fn_args, settings)
for number in map(int, sys.argv[2:]):
    devices = [f"CPU:{i}" for i in range(number)]
    strategy = tf.distribute.MirroredStrategy(devices) if number > 1 else tf.distribute.get_strategy()
    print(json.dumps(train.train(inputs, settings, strategy, None)[1].history))
"""


def curve(history: str) -> list[float]:
    return [epoch[key] for epoch in json.loads(history) for key in ("loss", "val_loss")]


def test_one_two_and_four_devices_learn_the_same(digits: Data, tmp_path: Path) -> None:
    told: dict[str, Any] = {"epochs": 3, "learning_rate": 0.005}
    (tmp_path / "args.pickle").write_bytes(pickle.dumps(digits.fn_args(tmp_path, **told)))
    lines = []
    for numbers in (["1", "2"], ["4"]):  # a process knows one group of devices that add up together
        command = [sys.executable, "-c", DEVICES, str(tmp_path / "args.pickle"), *numbers]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        lines += done.stdout.splitlines()[-len(numbers) :]
    one, two, four = (curve(line) for line in lines)
    assert two == pytest.approx(one, rel=TOLERANCE), "validation too, which takes the moving statistics"
    assert four == pytest.approx(one, rel=TOLERANCE)
