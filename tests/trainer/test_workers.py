"""Two processes on this machine as two machines: the same steps as one, and one export."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from components import features as f
from components.trainer import train
from tests.trainer.conftest import Data

pytestmark = pytest.mark.slow

PROGRAM = """
import pickle, sys
from components.trainer import train
train.run_fn(pickle.load(open(sys.argv[1], "rb")))
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_two_machines_learn_what_one_learns(digits: Data, tmp_path: Path, test_examples: list[bytes]) -> None:
    settings = {"strategy": "auto", "epochs": 3, "learning_rate": 0.02, "batch_size": 700}
    cluster = {name: [f"127.0.0.1:{free_port()}"] for name in ("chief", "worker")}
    running = []
    for where, jobs in (("one", [None]), ("two", ["chief", "worker"])):
        for job in jobs:
            arguments = tmp_path / f"{where}-{job}.pickle"
            arguments.write_bytes(pickle.dumps(digits.fn_args(tmp_path / where, **settings)))
            environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
            if job:
                environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": job, "index": 0}})
            log = (tmp_path / f"{where}-{job}.log").open("w")
            command = [sys.executable, "-c", PROGRAM, str(arguments)]
            running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT))
    try:
        assert [process.wait(timeout=600) for process in running] == [0, 0, 0]
    finally:
        for process in running:
            process.kill()
        for log_file in tmp_path.glob("*.log"):
            print(log_file.read_text()[-3000:])

    def history(where: str, name: str) -> list[float]:
        return [epoch[name] for epoch in json.loads((tmp_path / where / "run" / train.HISTORY_FILE).read_text())]

    for name in ("loss", "val_loss"):
        assert history("two", name) == pytest.approx(history("one", name), rel=5e-3), name
    serve = tf.saved_model.load(str(tmp_path / "two" / "serving")).signatures[f.SERVING_DEFAULT]
    assert serve(examples=tf.constant(test_examples))[f.PROBABILITIES].shape == (217, 10)
