"""Benchmark of the training loop against Keras' `fit`: the same network, images and process, in turns.

usage: CIFAR10_JPEG=cifar10-jpeg.tar.gz python benchmarks/loop.py [--steps N] [--rounds N]

Prints images a second, and images a CPU second, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=39, help="a round; all images are in as many batches")
    parser.add_argument("--rounds", type=int, default=4, help="of each, the first one not counted")
    args = parser.parse_args()
    if "CIFAR10_JPEG" not in os.environ:
        sys.exit("set CIFAR10_JPEG to the path of cifar10-jpeg.tar.gz")

    import keras
    import tensorflow as tf

    from components.trainer import input as data
    from components.trainer import loop, precision
    from components.trainer.checkpoint import Checkpoints
    from components.trainer.config import Settings
    from components.trainer.networks import airbench
    from components.trainer.plan import resolve
    from components.trainer.record import Record
    from pipeline import config as configs

    config, _ = configs.load("cifar10")
    settings = Settings(**config.trainer.model_dump() | {"epochs": args.rounds}, size=32, seed=0)
    strategy = tf.distribute.get_strategy()
    batch, steps = settings.batch_size, args.steps
    plan = resolve(settings, strategy, steps * batch, 10)
    pixels, labels = _images(steps * batch)
    cache = data.Cache(tf.constant(pixels), tf.constant(labels), tf.fill([3], 1 / 64), tf.fill([3], -2.0))
    graph: Any = SimpleNamespace(size=32)
    split = data.Split([], [steps * batch], graph, cache)
    validation = data.Split(
        [], [batch], graph, data.Cache(cache.pixels[:batch], cache.labels[:batch], cache.scale, cache.shift)
    )

    def made() -> tuple[keras.Model, keras.optimizers.Optimizer]:
        with precision.computing_in(plan.precision):
            model = airbench.build(settings, 10)
            optimizer = airbench.optimizer(settings.learning_rate, steps * args.rounds)
            optimizer.build(model.trainable_variables)
        return model, optimizer

    theirs, their_optimizer = made()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)
    theirs.compile(their_optimizer, loss, metrics=["accuracy"])
    ours, our_optimizer = made()
    record = Record(args.rounds, steps, batch)

    turns: dict[str, list[tuple[float, float]]] = {"fit": [], "loop": []}
    began = (0.0, 0.0)

    def start() -> None:
        nonlocal began
        began = time.monotonic(), time.process_time()

    def stop(name: str) -> None:
        turns[name].append((time.monotonic() - began[0], time.process_time() - began[1]))

    checked = data.validation_batches(validation, plan)

    end_epoch = record.end_epoch

    # After each epoch of the loop comes one of fit, both with their validation.
    def fit_then(*measured: float) -> None:
        stop("loop")
        end_epoch(*measured)
        start()
        batches = data.training_batches(split, plan, (record.epoch - 1) * steps)
        theirs.fit(batches, steps_per_epoch=steps, validation_data=checked, verbose=0)
        stop("fit")
        start()

    record.end_epoch = fit_then  # type: ignore[method-assign]
    start()
    state = loop.State(plan, ours, our_optimizer, record, Checkpoints("", 0, ours, our_optimizer, record))
    batches = loop.Data(lambda first, part: data.training_batches(split, plan, first, part), lambda _: checked, batch)
    loop.fit(state, batches, strategy)
    print(f"{'':<6}{'images/s':>12}{'images/CPU s':>16}   median of {args.rounds - 1}, {steps} steps of {batch}")
    for name, measured in turns.items():
        seconds, cpu = (statistics.median(values) for values in zip(*measured[1:]))
        print(f"{name:<6}{steps * batch / seconds:>12,.0f}{steps * batch / cpu:>16,.0f}")


def _images(number: int) -> tuple[Any, Any]:
    import io

    import numpy as np
    from PIL import Image

    pixels, labels = np.empty((number, 32, 32, 3), np.uint8), np.empty(number, np.int64)
    classes: dict[str, int] = {}
    with tarfile.open(os.environ["CIFAR10_JPEG"]) as tar:
        files = (member for member in tar if member.isfile() and "/train/" in f"/{member.name}")
        for row, member in zip(range(number), files):
            stream = tar.extractfile(member)
            assert stream is not None
            pixels[row] = np.asarray(Image.open(io.BytesIO(stream.read())).convert("RGB"))
            labels[row] = classes.setdefault(member.name.split("/")[-2], len(classes))
    return pixels, labels


if __name__ == "__main__":
    main()
