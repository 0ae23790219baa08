"""Two replicas on two logical CPUs, in a process of their own: the same steps as one device, and the same export."""

from __future__ import annotations

import json
import pickle
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
import json, pickle, sys
import keras
import numpy as np
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from components.trainer import train
from components.trainer.model import build_model
from components.trainer.settings import Settings

mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
fn_args = pickle.load(open(sys.argv[1], "rb"))
settings = Settings(**fn_args.custom_config)

pictures = np.random.default_rng(0).normal(size=(64, 32, 32, 3)).astype(np.float32)
labels = np.eye(10, dtype=np.float32)[np.arange(64) % 10]
losses = []
for strategy in (tf.distribute.get_strategy(), mirrored):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = build_model(32, 10, 8)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        model.compile(train.build_optimizer(settings, 20), loss)
    losses.append(model.fit(pictures, labels, batch_size=64, epochs=4, verbose=0).history["loss"])
    losses[-1].append(model.evaluate(pictures, labels, batch_size=64, verbose=0))

train.train_and_export(fn_args, settings, mirrored)
print(json.dumps(losses))
"""


def test_two_replicas_learn_what_one_device_learns(digits: Data, tmp_path: Path, test_examples: list[bytes]) -> None:
    arguments = digits.fn_args(tmp_path, epochs=3, learning_rate=0.02)
    (tmp_path / "args.pickle").write_bytes(pickle.dumps(arguments))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "args.pickle")],
        check=True,
        capture_output=True,
        text=True,
    )
    one, two = json.loads(done.stdout.splitlines()[-1])
    assert two == pytest.approx(one, rel=5e-3), "same loss at each step, and after them with the moving statistics"

    history = json.loads((tmp_path / "run" / train.HISTORY_FILE).read_text())
    assert history[-1]["loss"] < history[0]["loss"]
    serve = tf.saved_model.load(str(tmp_path / "serving")).signatures[f.SERVING_DEFAULT]
    assert serve(examples=tf.constant(test_examples))[f.PROBABILITIES].shape == (217, 10)
