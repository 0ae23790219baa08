"""Whoever looks at the served versions while others are pushed, and pushes are killed, finds complete ones only."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from components.contracts import features as f
from pipeline import ROOT
from pipeline.cli import predict
from pipeline.cli.messages import Messages
from pipeline.config import load
from tests.datasets import png
from tests.example_gen.datasets import pixels_of
from tests.faults.kills import Watcher

pytestmark = pytest.mark.slow

# Imports once, then pushes one model after the other in forked children, each killed after a random while.
PUSHER = """
import os, pathlib, random, signal, sys, time
from components.pusher.executor import push

model, base, versions, seed = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
draw, kills = random.Random(seed), 0

def pushed():
    return [name for name in os.listdir(base) if name.isdigit()] if os.path.isdir(base) else []

while len(pushed()) < versions:
    child = os.fork()
    if not child:
        while len(before := pushed()) < versions:
            (model / "assets" / "number").write_text(str(len(before)))  # another model each time
            push(str(model), base)
        os._exit(0)
    time.sleep(draw.uniform(0, 0.2))
    os.kill(child, signal.SIGKILL)
    kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
print(kills)
"""


def save_model(folder: Path) -> None:
    """A model of some files, with the signature that `predict` calls."""
    import tensorflow as tf

    class Model(tf.Module):
        def __init__(self) -> None:
            self.weights = [tf.Variable(tf.random.stateless_uniform([1 << 18], [i, 0])) for i in range(4)]

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "images")])
        def serve(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
            sums = tf.stack([tf.reduce_sum(weight) for weight in self.weights])
            rows = tf.repeat(tf.nn.softmax(sums)[None], tf.size(images), axis=0)
            return {f.PROBABILITIES: rows, f.CLASS_NAMES: tf.repeat([["a", "b", "c", "d"]], tf.size(images), axis=0)}

    model = Model()
    tf.saved_model.save(model, str(folder), {f.SERVE_IMAGES: model.serve})


def look_while_pushing(
    tmp_path: Path, versions: int, capsys: pytest.CaptureFixture[str], figure: Callable[[str, object], None]
) -> None:
    """Run `predict` on the newest version again and again, and look at the files of all even more often."""
    model, base, image = tmp_path / "model", tmp_path / "serving", tmp_path / "image.png"
    save_model(model)
    image.write_bytes(png(pixels_of(1)))
    watcher = Watcher(base)
    watcher.start()
    command = [sys.executable, "-c", PUSHER, str(model), str(base), str(versions), "0"]
    pusher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    config, predictions, answers, newest = load("digits", None, ())[0], 0, set(), 0
    deadline = time.monotonic() + 60 * versions
    while pusher.poll() is None and time.monotonic() < deadline:
        there = [int(path.name) for path in base.iterdir() if path.name.isdigit()] if base.is_dir() else []
        if there:
            newest = max(there)
            assert predict.run(config, [str(image)], str(base / str(newest)), 1, Messages(as_json=True)) == 0
            answers.add(json.dumps(json.loads(capsys.readouterr().out)["probabilities"]))
            predictions += 1
    watcher.end()
    out, _ = pusher.communicate()
    assert pusher.returncode == 0
    assert not watcher.faults, watcher.faults[:3]
    assert len(answers) == 1
    assert predictions >= 3
    for name, value in {"pushed": versions, "killed": int(out), "looks": watcher.looks, "predict": predictions}.items():
        figure(name, value)


def test_looks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    look_while_pushing(tmp_path, 15, capsys, record_property)


@pytest.mark.chaos
def test_many_looks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    look_while_pushing(tmp_path, 1000, capsys, record_property)
