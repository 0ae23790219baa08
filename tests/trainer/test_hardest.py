"""The pictures of a batch that a proxy of the network finds hardest."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from components.trainer import train
from components.trainer.hardest import Hardest, trained
from components.trainer.settings import Settings
from tests.trainer.conftest import DIGITS_PRESET, Data
from tests.trainer.test_replicas import DEVICES, TOLERANCE

pytestmark = pytest.mark.slow


def settings(**changes: float) -> Settings:
    return Settings(**{**DIGITS_PRESET, "size": 16, "batch_size": 32, "hardest": 0.25, **changes})


def test_those_with_the_highest_loss_are_chosen_and_the_proxy_learns_from_all() -> None:
    keras.utils.set_random_seed(0)
    images = tf.random.stateless_normal([32, 16, 16, 3], (1, 2))
    labels = tf.one_hot(tf.range(32) % 10, 10)
    hardest = Hardest(settings(), 10, images, 20, 1)
    losses = keras.losses.categorical_crossentropy(
        labels, hardest.model(images, training=True), from_logits=True, label_smoothing=0.1
    )
    expected = np.sort(np.argsort(losses)[-8:])
    before = hardest.model.get_weights()
    chosen, their_labels = hardest.choose(images, labels)
    numbers = [int(np.flatnonzero(np.all(images == one, axis=(1, 2, 3)))[0]) for one in chosen]
    assert sorted(numbers) == expected.tolist()
    assert np.array_equal(their_labels, tf.gather(labels, numbers))
    after = hardest.model.get_weights()
    assert np.array_equal(before[0], after[0]), "the stem is frozen"
    assert not np.array_equal(before[1], after[1])


@given(st.integers(1, 600), st.integers(1, 8), st.floats(0, 1, exclude_min=True))
def test_each_replica_learns_from_at_least_one_picture_and_at_most_from_its_own(
    own: int, replicas: int, share: float
) -> None:
    number = trained(settings(batch_size=own * replicas, hardest=share), replicas)
    assert number % replicas == 0
    assert 1 <= number // replicas <= own
    assert abs(number - share * own * replicas) < 1.001 * replicas
    if share == 1:
        assert number == own * replicas


def test_a_training_says_so_and_learns(digits: Data, tmp_path: Path) -> None:
    train.run_fn(digits.fn_args(tmp_path, epochs=6, width=16, hardest=0.5))
    history = json.loads((tmp_path / "run" / train.HISTORY_FILE).read_text())
    assert {epoch["hardest"] for epoch in history} == {0.5}
    assert history[-1]["val_accuracy"] > 0.9, "of all classes, not only of those that are hard"


def test_on_two_devices_each_chooses_from_its_own_part(digits: Data, tmp_path: Path) -> None:
    (tmp_path / "args.pickle").write_bytes(pickle.dumps(digits.fn_args(tmp_path, epochs=3, hardest=0.5)))
    command = [sys.executable, "-c", DEVICES, str(tmp_path / "args.pickle"), "1", "2"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    one, two = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert two[-1]["loss"] < two[0]["loss"]
    assert two[-1]["val_accuracy"] == pytest.approx(one[-1]["val_accuracy"], abs=0.1)
    assert two[0]["loss"] != pytest.approx(one[0]["loss"], rel=TOLERANCE), "not the same pictures"
