"""Benchmark of the input pipeline: does it keep up with training, and with how much memory? CIFAR-10 once and 12 times.

usage: CIFAR10_JPEG=cifar10-jpeg.tar.gz python -m benchmarks.input [--steps N]

The images go through ExampleGen and Transform; then, each in a process of its own: the share of time that a training
step waits for data (goal: under 3%) from memory and streamed, and the peak memory of one epoch of batches, streamed, of
45,000 images and of twelve copies of them in as many files, which must not need more.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

from benchmarks import common

COPIES = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60, help="of training, to measure the waiting")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        kind, split_folder, graph_folder = args.child
        return _child(kind, split_folder, graph_folder, args.steps)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run_dir = str(work / "run")
        common.pipeline(
            "run", "--preset", "cifar10", "--data", common.archive(), "--run-dir", run_dir, "--to", "Transform"
        )
        artifacts = work / "run" / "artifacts" / "cifar10"
        examples = next((artifacts / "ExampleGen" / "examples").iterdir())
        many = work / "many"
        for copy in range(COPIES):
            for file in (examples / "Split-train").iterdir():
                (many / "Split-train").mkdir(parents=True, exist_ok=True)
                shutil.copy(file, many / "Split-train" / f"{copy:02d}-{file.name}")
        graph = next((artifacts / "Transform" / "transform_graph").iterdir())
        rows = [
            ("trained from memory", "memory", examples),
            ("trained, streamed", "streamed", examples),
            ("read once, streamed", "epoch", examples),
            ("read once, streamed", "epoch", many),
        ]
        print(f"{'':<22}{'images':>9}{'images/s':>12}{'waiting':>9}{'peak memory':>13}")
        for title, kind, images in rows:
            child = ["--steps", str(args.steps), "--child", kind, str(images), str(graph)]
            printed = subprocess.check_output([sys.executable, "-m", "benchmarks.input", *child], text=True)
            row = json.loads(printed.splitlines()[-1])
            waiting = f"{row['waiting']:.1%}" if row["waiting"] is not None else "-"
            print(
                f"{title:<22}{row['pictures']:>9,}{row['pictures_per_second']:>12,.0f}{waiting:>9}"
                f"{row['peak_bytes'] / 2**20:>10,.0f} MB",
                flush=True,
            )


def _child(kind: str, examples: str, graph_folder: str, steps: int) -> None:
    import tensorflow as tf

    from components.trainer import input as data
    from components.trainer import train
    from components.trainer.config import Settings
    from components.trainer.plan import resolve
    from components.trainer.transform_graph import TransformGraph
    from pipeline import config as configs

    config, _ = configs.load("cifar10")
    plenty = 10**10 if kind == "memory" else 0
    values = config.trainer.model_dump() | {"epochs": 1, "cache_bytes": plenty, "checkpoint_seconds": 10**9}
    settings = Settings(**values, size=32, seed=0)
    strategy = tf.distribute.get_strategy()
    graph = TransformGraph(graph_folder, 32)
    split = data.open_split([f"{examples}/Split-train/*"], graph, plenty)
    waiting = None
    if kind == "epoch":
        began, read = time.monotonic(), 0
        for images, _labels in data.training_batches(split, resolve(settings, strategy, split.count, 10)):
            read += images.shape[0]
        speed = read / (time.monotonic() - began)
    else:
        validation = data.open_split([f"{examples}/Split-validation/*"], graph, plenty)
        # As many steps as are asked for are an epoch.
        inputs = train.Inputs(graph, [""] * 10, [0] * 10, split, validation, None, fingerprint="", seconds=0.0)
        with mock.patch.object(train, "resolve", lambda *args: replace(resolve(*args), steps=steps)):
            record = train.train(inputs, settings, strategy, None).record
        waiting, speed = record.history[-1]["waiting"], record.history[-1]["pictures_per_second"]
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    row = {"pictures": split.count, "pictures_per_second": speed, "waiting": waiting, "peak_bytes": peak}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
