"""A training that is killed or stopped at any moment goes on as if nothing had happened."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from components import progress
from components.contracts import training as records
from components.errors import Stopped, UserError
from components.trainer import checkpoint, train
from tests.trainer.conftest import Data, scalars, scalars_of, settings_of

pytestmark = pytest.mark.slow

# Imports once, then runs the training again and again in forked children, each killed a random while after its first
# checkpoint; the last one is left alone.
KILLER = """
import os, pathlib, pickle, random, signal, sys, time
from components.trainer import train

def stamp(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/checkpoint")}

fn_args, kills, seed = pickle.load(open(sys.argv[1], "rb")), int(sys.argv[2]), int(sys.argv[3])
folder = pathlib.Path(fn_args.custom_config["checkpoints"])
draw, done = random.Random(seed), 0
while True:
    before, child = stamp(folder), os.fork()
    if not child:
        train.run_fn(fn_args)
        os._exit(0)
    if done < kills:
        while stamp(folder) == before and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.4))
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        break
    done += 1
print(done, os.waitstatus_to_exitcode(status))
"""


def settings(root: Path, **more: Any) -> dict[str, Any]:
    return {"epochs": 20, "checkpoints": str(root / "checkpoints"), "checkpoint_seconds": 0, **more}


def model_bytes(out: Path) -> list[bytes]:
    return [weight.tobytes() for weight in keras.saving.load_model(out / "run" / records.MODEL_FILE).get_weights()]


def without_times(out: Path) -> list[dict[str, Any]]:
    history = json.loads((out / "run" / records.HISTORY_FILE).read_text())
    timed = ("seconds", "pictures_per_second", "waiting")
    return [{name: value for name, value in epoch.items() if name not in timed} for epoch in history]


def test_killed_at_random_moments_the_weights_are_the_same_to_the_bit(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the logs have each epoch once, in the folder that a custom job of Vertex AI is told."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train.run_fn(digits.fn_args(whole, **settings(whole)))
    monkeypatch.setenv(train.UPLOADED, f"{tmp_path / 'logs'}/")
    arguments = digits.fn_args(killed, **settings(killed))
    (tmp_path / "args.pickle").write_bytes(pickle.dumps(arguments))
    command = [sys.executable, "-c", KILLER, str(tmp_path / "args.pickle"), "6", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kills, code = map(int, done.stdout.split()[-2:])
    assert code == 0, done.stderr[-3000:]
    assert kills >= 5, "it must have been killed often to show anything"
    assert model_bytes(killed) == model_bytes(whole)
    assert without_times(killed) == without_times(whole)
    assert scalars(tmp_path / "logs") == scalars_of(without_times(killed))
    assert not (killed / "run" / records.TENSORBOARD_DIR).exists()
    assert not list((killed / "checkpoints").iterdir()), "nothing is kept of a finished training"


def test_ctrl_c_stops_after_a_step_and_the_same_call_goes_on_while_streaming(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second of three epochs; streamed, augmented, in batches that leave out a remainder."""
    more: dict[str, Any] = {"epochs": 3, "cache_bytes": 0, "flip": True, "batch_size": 33, "checkpoint_seconds": 1000}
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train.run_fn(digits.fn_args(whole, **settings(whole, **more)))
    monkeypatch.setattr("components.trainer.record._EVERY", 0)
    monkeypatch.setattr("components.trainer.loop._EXECUTION", 0)  # one step an execution

    def press(text: str) -> None:
        if text.startswith("epoch 2/3, step 5/42"):
            signal.raise_signal(signal.SIGINT)

    progress.listen(press)
    try:
        with pytest.raises(Stopped, match=r"^step 47 of 126 \(epoch 2 of 3\)$") as raised:
            train.run_fn(digits.fn_args(stopped, **settings(stopped, **more)))
    finally:
        progress.listen(None)
    assert [epoch["epoch"] for epoch in raised.value.epochs] == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not (stopped / "run" / records.MODEL_FILE).exists()
    train.run_fn(digits.fn_args(stopped, **settings(stopped, **more)))
    assert model_bytes(stopped) == model_bytes(whole)
    assert without_times(stopped) == without_times(whole)


def test_a_checkpoint_that_cannot_be_read_is_a_clear_error(digits: Data, tmp_path: Path) -> None:
    def stop(text: str) -> None:
        signal.raise_signal(signal.SIGINT)

    progress.listen(stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            train.run_fn(digits.fn_args(tmp_path, **settings(tmp_path)))
    finally:
        progress.listen(None)
    for file in (tmp_path / "checkpoints").glob("*/*.data-*"):
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"checkpoints/.*cannot be read.*remove that folder") as raised:
        train.run_fn(digits.fn_args(tmp_path, **settings(tmp_path)))
    assert "\n" not in str(raised.value)


def test_the_key_is_of_content_settings_and_precision(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "data", tmp_path / "b" / "data"
    for file in (first, second):
        file.parent.mkdir()
        file.write_bytes(b"images")

    def key(file: Path, precision: str = "float32", **changes: Any) -> str:
        return checkpoint.key(checkpoint.content([str(file)]), settings_of(**changes), precision)

    assert key(first) == key(second), "where the files lie does not count"
    assert key(first, checkpoint_seconds=1, checkpoints="elsewhere", cache_bytes=0) == key(first)
    second.write_bytes(b"Images")
    different = {key(first), key(second), key(first, "bfloat16"), key(first, seed=1), key(first, epochs=21)}
    assert len(different) == 5
