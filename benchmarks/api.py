"""Benchmark of the Python API: seconds of a call in a new process, what it loads included.

usage: python -m benchmarks.api [--repeat N]

Makes a run of the digits in a temporary folder, then makes each call in a process of its own, N times by turns, and
prints the medians as a table. The first row, Python alone, is the control.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import common

HERE = str(Path(__file__).resolve().parent.parent)
LENIENT = ("--set=trainer.epochs=1", "--set=evaluator.min_accuracy=0", "--set=evaluator.min_class_recall=0")
REMOTE = f"ip.remote({sys.executable!r})"
CALLS = {
    "Python alone": "pass",
    "import image_pipeline as ip": "",
    'ip.config("digits")': 'ip.config("digits")',
    "ip.runs()": "ip.runs()",
    "ip.find_run().metrics": "ip.find_run().metrics",
    "showing a run with its report": "ip.find_run()._repr_mimebundle_()",
    "ip.find_run().mistakes()": "ip.find_run().mistakes()",
    "ip.find_run().confusion": "ip.find_run().confusion",
    'ip.find_run().dataset("train")': 'ip.find_run().dataset("train")',
    "ip.load()": "ip.load()",
    'ip.load().predict("five.png")': 'ip.load().predict("five.png")',
    "ip.remote()": REMOTE,
    "ip.remote().runs()": f"{REMOTE}.runs()",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        os.chdir(root)
        os.environ["PYTHONPATH"] = HERE
        common.pipeline("run", *LENIENT)
        common.write_five(Path("five.png"))
        seconds: dict[str, list[float]] = {title: [] for title in CALLS}
        for _ in range(args.repeat):
            for title, call in CALLS.items():
                code = call if call == "pass" else f"import image_pipeline as ip\n{call}"
                began = time.monotonic()
                subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
                seconds[title].append(time.monotonic() - began)
    print("| call | s |\n| --- | --- |")
    for title, measured in seconds.items():
        shown = title if title[0].isupper() or " with " in title else f"`{title}`"
        print(f"| {shown} | {statistics.median(measured):.2f} |")


if __name__ == "__main__":
    main()
