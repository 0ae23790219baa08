"""Benchmark of the stages around training on large photos: CPU seconds a stage, a photo, and of 2,000 photos.

usage: python -m benchmarks.ingest [--count N] [--size WIDTHxHEIGHT] [--against DIR]

The photos are drawn here: 20 scenes of structure and noise, each moved and tinted so that no two are the same, as JPEG
files in two folders. The whole chain runs on a fifth of them and on all, each in a process of its own; the difference
is what a photo costs, and the rest is what a stage costs at any number. `--against` names another checkout of this
project, whose chain runs on the same photos. Goal: 2,000 photos of 12 megapixels in 400 CPU seconds without training.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

SCENES = 20
GOAL = 2_000  # photos
# One epoch of a small network; no gate stops the chain.
SETTINGS = ("trainer.network=airbench", "trainer.epochs=1", "evaluator.min_accuracy=0", "evaluator.min_class_recall=0")


def scene(seed: int, height: int, width: int) -> np.ndarray:
    """Return uint8 [height, width, 3]: structure from the size of the image to that of a few pixels, and noise."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for cells, deviation in ((8, 60), (32, 30), (128, 20), (512, 10)):
        grid = rng.normal(128, deviation, (max(2, cells * height // width), cells, 3)).clip(0, 255).astype(np.uint8)
        total += np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC), np.float32) - 128
    total += rng.normal(128, 4, (height, width, 1)).astype(np.float32)
    return total.clip(0, 255).astype(np.uint8)


def draw(folder: Path, count: int, height: int, width: int) -> None:
    """Write the photos: <folder>/<class>/<number>.jpg. The second class is tinted."""
    for number in range(SCENES):
        original = scene(number, height, width)
        for i in range(number, count, SCENES):
            photo = np.roll(original, (37 * (i // SCENES), 53 * (i // SCENES)), (0, 1))
            name = ("plain", "tinted")[i % 2]
            if i % 2:
                photo[..., 0] //= 2
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / f"{i}.jpg").write_bytes(simplejpeg.encode_jpeg(photo, 90, colorsubsampling="420"))


def measure(photos: Path, checkout: Path) -> dict[str, float]:
    """Return the CPU seconds of each stage."""
    with tempfile.TemporaryDirectory() as run_dir:
        settings = [f"--set={setting}" for setting in SETTINGS]
        command = ["-m", "pipeline", "run", "--json", "--data", str(photos), "--run-dir", run_dir, *settings]
        done = subprocess.run([sys.executable, *command], cwd=checkout, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"the run failed:\n{done.stderr[-3000:]}")
    stages = json.loads(done.stdout.splitlines()[-1])["stages"]
    return {name: stage["cpu_seconds"] for name, stage in stages.items()}


def show(title: str, few: int, of_few: dict[str, float], many: int, of_many: dict[str, float]) -> None:
    """Print a row a stage, and their sum without training."""
    print(f"\n{title}\n{'stage':<16}{f'CPU s, {many}':>16}{'ms a photo':>16}{f'CPU s, {GOAL}':>16}")
    sums = np.zeros(3)
    for stage, seconds in of_many.items():
        each = max(0.0, (seconds - of_few[stage]) / (many - few))
        row = np.array([seconds, each * 1e3, seconds + each * (GOAL - many)])
        sums += row if stage != "Trainer" else 0
        print(f"{stage:<16}{row[0]:>16.1f}{row[1]:>16.1f}{row[2]:>16.0f}")
    print(f"{'but training':<16}{sums[0]:>16.1f}{sums[1]:>16.1f}{sums[2]:>16.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="photos (default 200)")
    parser.add_argument("--size", default="4000x3000", help="width and height in pixels (default 4000x3000)")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout of this project")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    few = args.count // 5
    with tempfile.TemporaryDirectory() as folder:
        for count in (few, args.count):
            draw(Path(folder, str(count)), count, height, width)
        checkouts = {"this checkout": Path(__file__).parents[1]}
        if args.against:
            checkouts[str(args.against)] = args.against
        for title, checkout in checkouts.items():
            of_few, of_many = (measure(Path(folder, str(count)), checkout) for count in (few, args.count))
            show(f"{title}: {args.size}", few, of_few, args.count, of_many)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
