"""Benchmark of the Beam stages with one and two workers on this machine, on each tested runner.

usage: CIFAR10_JPEG=cifar10-jpeg.tar.gz python -m benchmarks.scale [--per-class N] [--runner NAME]

Every row is a run in a process of its own: seconds of each stage on the clock, images a second, and last how many
cores of the whole machine were busy meanwhile: more than the workers, and something else slowed the row down.
ExampleGen alone on Dask: its runner cannot run the others.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import clusters, common
from benchmarks.pipeline import unpack

STAGES = ("ExampleGen", "StatisticsGen", "DataGate", "Transform")
RUNNERS = ("in this process", "multi_processing", "portable", "dask")


@contextlib.contextmanager
def runner(name: str, folder: Path, workers: int) -> Iterator[list[str]]:
    """Yield the arguments for Beam."""
    if name == "portable":
        with clusters.portable(folder, workers) as args:
            yield args
    elif name == "dask":
        with clusters.dask(folder, workers) as args:
            yield args
    else:
        mode = "in_memory" if name == "in this process" else name
        yield ["--runner=FnApiRunner", f"--direct_running_mode={mode}", f"--direct_num_workers={workers}"]


def measure(name: str, workers: int, images: Path) -> dict[str, tuple[float, int]]:
    """(seconds, images) of each stage."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with runner(name, folder, workers) as args:
            settings = ["--run-dir", str(folder / "runs"), f"--set=beam.args={json.dumps(args)}"]
            last = "ExampleGen" if name == "dask" else "Transform"
            printed = common.pipeline(
                "run", "--json", "--data", str(images), "--preset", "cifar10", "--to", last, *settings
            )
    result = json.loads(printed)
    total = sum(count for split, count in result["counts"].items() if split != "rejected")
    return {stage: (result["seconds"][stage], total) for stage in STAGES if stage in result["seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-class", type=int, default=0, help="training images a class; 0 takes all 5,000")
    parser.add_argument("--runner", choices=RUNNERS, action="append", help="one of them; repeatable")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        unpack(common.archive(), Path(temporary), args.per_class)
        print(f"{'runner':<18}{'workers':>7}" + "".join(f"{stage:>24}" for stage in STAGES) + f"{'machine':>10}")
        for name in args.runner or RUNNERS:
            for workers in (1,) if name == "in this process" else (1, 2):
                busy, began = _busy(), time.monotonic()
                stages = measure(name, workers, Path(temporary))
                load = (_busy() - busy) / (time.monotonic() - began)
                measured = (stages.get(stage, (0.0, 0)) for stage in STAGES)
                cells = [f"{s:>9.1f} s {n / s:>8,.0f}/s" if s else "" for s, n in measured]
                print(
                    f"{name:<18}{workers:>7}" + "".join(f"{cell:>24}" for cell in cells) + f"{load:>9.1f}c", flush=True
                )


def _busy() -> float:
    """CPU seconds of the whole machine since it started."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
