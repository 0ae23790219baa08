"""Benchmark of the command line: seconds until a command prints something, and until it ends.

usage: python -m benchmarks.first_output [--repeat N] [--before FOLDER]

Makes two runs of the digits in a temporary folder, then starts each command in a process of its own, N times, and
prints the medians as a table. `--before` names another checkout of this project, whose seconds are printed beside.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import common

HERE = str(Path(__file__).resolve().parent.parent)
LENIENT = ("--set=trainer.epochs=1", "--set=evaluator.min_accuracy=0", "--set=evaluator.min_class_recall=0")
ENDLESS = ("board",)  # ended when it serves
COMMANDS = (
    "",
    "--help",
    "run --help",
    "prdict",
    "config",
    "run --to DataGate",
    "predict five.png",
    "runs",
    "show",
    "report",
    "report --rebuild",
    "compare RUN RUN",
    "compare RUN RUN --html",
    "lineage",
    "lineage --why",
    "card",
    "board",
    "doctor",
    "gc --dry-run",
    "rollback digits/1",
    "schema freeze --output schema.pbtxt --force",
    "vertex compile --preset cifar10",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--before", metavar="FOLDER")
    args = parser.parse_args()
    checkouts = [*([os.path.realpath(args.before)] if args.before else []), HERE]
    with tempfile.TemporaryDirectory() as root:
        folders = {checkout: Path(root, str(number)) for number, checkout in enumerate(checkouts)}
        for checkout, folder in folders.items():
            _make_runs(checkout, folder)
        before = (", before" if checkout != HERE else "" for checkout in checkouts)
        titles = "".join(f" first output, s{when} | end, s{when} |" for when in before)
        print(f"| command |{titles}\n| --- |{' --- | --- |' * len(checkouts)}")
        for line in COMMANDS:
            cells = "".join(f" {first:.2f} | {end:.2f} |" for first, end in _medians(line, folders, args.repeat))
            print(f"| `image-pipeline{f' {line}' if line else ''}` |{cells}", flush=True)


def _make_runs(checkout: str, folder: Path) -> None:
    """Make two runs that push a model, and an image."""
    folder.mkdir()
    os.chdir(folder)
    os.environ["PYTHONPATH"] = checkout
    common.pipeline("run", *LENIENT)
    common.pipeline("run", *LENIENT, "--set=evaluator.max_drop=1", "--set=trainer.learning_rate=0.02")
    common.write_five(Path("five.png"))


def _medians(line: str, folders: dict[str, Path], repeat: int) -> Iterator[tuple[float, float]]:
    """Yield the medians for each checkout; they take turns, so that what else the machine does hits all."""
    measured: dict[str, list[tuple[float, float]]] = {checkout: [] for checkout in folders}
    for _ in range(repeat):
        for checkout, folder in folders.items():
            runs = iter(sorted(path.name for path in (folder / "output" / "runs").iterdir()))
            words = [next(runs) if word == "RUN" else word for word in line.split()]
            measured[checkout].append(_measure(words, checkout, folder))
    for seconds in measured.values():
        firsts, ends = zip(*seconds)
        yield statistics.median(firsts), statistics.median(ends)


def _measure(words: list[str], checkout: str, folder: Path) -> tuple[float, float]:
    environment = os.environ | {"PYTHONPATH": checkout}
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout
        process.stdout.read(1)
        first = time.monotonic() - began
        if words and words[0] in ENDLESS:
            for line in process.stdout:
                if b"http" in line:
                    process.terminate()
        process.stdout.read()
    return first, time.monotonic() - began


if __name__ == "__main__":
    main()
