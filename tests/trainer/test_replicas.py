"""The same global batch gives the same loss curve on 1, 2 and 4 devices, and on two machines.

The tolerance: sums of floats in another order differ in the last bits, and training enlarges that step by step.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components import features as f
from components.trainer import train
from tests.trainer.conftest import Data

pytestmark = pytest.mark.slow

TOLERANCE = 2e-3  # relative, of the losses of three epochs

# On 1, 2 and 4 logical CPUs, in this order, each into a folder of its own.
DEVICES = """
import os, pickle, sys
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
)
from components.trainer import train
from components.trainer.settings import Settings

fn_args = pickle.load(open(sys.argv[1], "rb"))
root = fn_args.model_run_dir
for number in (1, 2, 4):
    fn_args.model_run_dir, fn_args.serving_model_dir = f"{root}/{number}/run", f"{root}/{number}/serving"
    devices = [f"CPU:{i}" for i in range(number)]
    strategy = tf.distribute.MirroredStrategy(devices) if number > 1 else tf.distribute.get_strategy()
    train.train_and_export(fn_args, Settings(**fn_args.custom_config), strategy)
"""

WORKER = """
import pickle, sys
from components.trainer import train
train.run_fn(pickle.load(open(sys.argv[1], "rb")))
"""


def history(run: Path) -> list[dict[str, float]]:
    return json.loads((run / train.HISTORY_FILE).read_text())


def curve(run: Path) -> list[float]:
    return [epoch[key] for epoch in history(run) for key in ("loss", "val_loss")]


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_one_two_and_four_devices_and_two_machines_learn_the_same(
    digits: Data, tmp_path: Path, test_examples: list[bytes]
) -> None:
    told = {"epochs": 3, "learning_rate": 0.02}
    arguments = digits.fn_args(tmp_path, **told)
    arguments.model_run_dir = str(tmp_path / "devices")
    (tmp_path / "args.pickle").write_bytes(pickle.dumps(arguments))
    subprocess.run([sys.executable, "-c", DEVICES, str(tmp_path / "args.pickle")], check=True, capture_output=True)
    one = curve(tmp_path / "devices" / "1" / "run")
    for number in (2, 4):
        many = curve(tmp_path / "devices" / str(number) / "run")
        assert many == pytest.approx(one, rel=TOLERANCE), f"{number} devices, validation with moving statistics too"

    # Two processes that find each other by TF_CONFIG and talk over gRPC.
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    processes = []
    for index in range(2):
        arguments = digits.fn_args(tmp_path / f"worker{index}", strategy="multi_worker", **told)
        (tmp_path / f"worker{index}.pickle").write_bytes(pickle.dumps(arguments))
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        command = [sys.executable, "-c", WORKER, str(tmp_path / f"worker{index}.pickle")]
        with (tmp_path / f"worker{index}.log").open("w") as log:
            processes.append(subprocess.Popen(command, env={**os.environ, "TF_CONFIG": config}, stderr=log))
    try:
        codes = [process.wait(300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0, 0], (tmp_path / "worker0.log").read_text()[-3000:]
    assert curve(tmp_path / "worker0" / "run") == pytest.approx(one, rel=TOLERANCE)
    assert not (tmp_path / "worker1").exists(), "only the chief writes"

    answers = []
    for folder in (tmp_path / "devices" / "1", tmp_path / "devices" / "4", tmp_path / "worker0"):
        serve = tf.saved_model.load(str(folder / "serving")).signatures[f.SERVING_DEFAULT]
        answers.append(serve(examples=tf.constant(test_examples))[f.PROBABILITIES].numpy())
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=0.02)
