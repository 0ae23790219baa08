"""The same global batch gives the same loss curve on 1, 2 and 4 devices, and on two machines.

The tolerance: sums of floats in another order differ in the last bits, and training enlarges that step by step: the
more, the higher the learning rate.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.contracts import features as f
from components.contracts import training as records
from components.trainer import train
from tests.trainer.conftest import Data, scalars, scalars_of

pytestmark = pytest.mark.slow

TOLERANCE = 1e-4  # relative, of the losses of three epochs

# On as many logical CPUs as it is told, one after the other; prints the history of each.
DEVICES = """
import json, pickle, sys
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
)
from components.trainer import train
from components.trainer.config import Settings

fn_args = pickle.load(open(sys.argv[1], "rb"))
settings = Settings(**fn_args.custom_config)
inputs = train.read(fn_args, settings)
for number in map(int, sys.argv[2:]):
    devices = [f"CPU:{i}" for i in range(number)]
    strategy = tf.distribute.MirroredStrategy(devices) if number > 1 else tf.distribute.get_strategy()
    print(json.dumps(train.train(inputs, settings, strategy, None).record.history))
"""

WORKER = """
import os, pickle, signal, sys
from components import progress
from components.trainer import record, train

fn_args, model, stop_at, by = pickle.load(open(sys.argv[1], "rb")), *sys.argv[2:]
record._EVERY = 0
progress.listen(lambda text: signal.raise_signal(signal.Signals[by]) if text.startswith(stop_at) else None)
train.run_fn(fn_args)
assert os.path.exists(model), "TFX looks for it on every machine"
"""


def curve(history: str) -> list[float]:
    return [epoch[key] for epoch in json.loads(history) for key in ("loss", "val_loss")]


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_one_two_and_four_devices_and_two_machines_learn_the_same(
    digits: Data, tmp_path: Path, test_examples: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {"epochs": 3, "learning_rate": 0.005, "class_weights": "balanced", "jitter": 0.2}
    (tmp_path / "args.pickle").write_bytes(pickle.dumps(digits.fn_args(tmp_path, **told)))
    lines = []
    for numbers in (["1", "2"], ["4"]):  # a process knows one group of devices that add up together
        command = [sys.executable, "-c", DEVICES, str(tmp_path / "args.pickle"), *numbers]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        lines += done.stdout.splitlines()[-len(numbers) :]
    one, two, four = (curve(line) for line in lines)
    assert two == pytest.approx(one, rel=TOLERANCE), "validation too, which takes the moving statistics"
    assert four == pytest.approx(one, rel=TOLERANCE)

    # Two processes that find each other by TF_CONFIG and talk over gRPC.
    monkeypatch.setenv(train.UPLOADED, str(tmp_path / "logs"))
    shared: dict[str, Any] = {"strategy": "multi_worker", "checkpoints": str(tmp_path / "checkpoints")}
    for index in range(2):
        arguments = digits.fn_args(tmp_path / f"worker{index}", **told, **shared)
        (tmp_path / f"worker{index}.pickle").write_bytes(pickle.dumps(arguments))
    (ended, _), (killed, _) = two_workers(tmp_path, stop_at="epoch 1/3, step 17/21", by="SIGKILL")
    assert killed == -signal.SIGKILL
    assert ended != 0, "the first notices, and does not wait for ever"
    for code, said in two_workers(tmp_path, stop_at="epoch 2/3, step 16/21", by="SIGTERM"):
        assert code != 0
        assert "components.errors.Stopped: step 37 of 63 (epoch 2 of 3)" in said.splitlines(), said[-3000:]
    assert len(list((tmp_path / "checkpoints").glob("*/*.index"))) == 1
    for code, said in two_workers(tmp_path, stop_at="never"):
        assert code == 0, said[-3000:]
    history = (tmp_path / "worker0" / "run" / records.HISTORY_FILE).read_text()
    assert curve(history) == pytest.approx(one, rel=TOLERANCE)
    assert not (tmp_path / "worker1").exists(), "only the chief writes"
    assert scalars(tmp_path / "logs") == scalars_of(json.loads(history))
    serve = tf.saved_model.load(str(tmp_path / "worker0" / "serving")).signatures[f.SERVING_DEFAULT]
    assert serve(examples=tf.constant(test_examples))[f.PROBABILITIES].shape == (217, 10)


def test_the_last_layer_of_a_pretrained_network_is_the_same_on_two_devices_and_on_two_machines(
    digits: Data, tmp_path: Path
) -> None:
    told: dict[str, Any] = {"network": "efficientnet_lite0", "batch_size": 64, "fine_tune": "none"}
    (tmp_path / "args.pickle").write_bytes(pickle.dumps(digits.fn_args(tmp_path, **told)))
    command = [sys.executable, "-c", DEVICES, str(tmp_path / "args.pickle"), "1", "2"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    one, two = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    fitted, tolerance = curve(json.dumps(one)), 1e-3  # the solver stops near the minimum, not in it
    assert curve(json.dumps(two)) == pytest.approx(fitted, rel=tolerance)

    for index in range(2):
        arguments = digits.fn_args(tmp_path / f"worker{index}", **told, strategy="multi_worker")
        (tmp_path / f"worker{index}.pickle").write_bytes(pickle.dumps(arguments))
    for code, said in two_workers(tmp_path, stop_at="never"):
        assert code == 0, said[-3000:]
    history = (tmp_path / "worker0" / "run" / records.HISTORY_FILE).read_text()
    assert curve(history) == pytest.approx(fitted, rel=tolerance)


def two_workers(folder: Path, stop_at: str, by: str = "SIGTERM") -> list[tuple[int, str]]:
    """(exit code, what it wrote to stderr) of each; the second sends itself a signal when its progress says so."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    processes = []
    for index, at in enumerate(["never", stop_at]):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        model = folder / "worker0" / "serving" / "saved_model.pb"
        command = [sys.executable, "-c", WORKER, str(folder / f"worker{index}.pickle"), str(model), at, by]
        with (folder / f"worker{index}.log").open("w") as log:
            processes.append(subprocess.Popen(command, env={**os.environ, "TF_CONFIG": config}, stderr=log))
    try:
        codes = [process.wait(300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(code, (folder / f"worker{index}.log").read_text()) for index, code in enumerate(codes)]
