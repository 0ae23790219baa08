"""Helpers of the benchmarks: the images of CIFAR-10, and the pipeline in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def archive() -> str:
    """Return the path of cifar10-jpeg.tar.gz, which CIFAR10_JPEG names."""
    if "CIFAR10_JPEG" not in os.environ:
        sys.exit("set CIFAR10_JPEG to the path of cifar10-jpeg.tar.gz")
    return os.environ["CIFAR10_JPEG"]


def pipeline(*arguments: str) -> str:
    """Run a command of the pipeline and return what it printed; end where it fails."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def write_five(path: Path) -> None:
    """Write an image of a handwritten five."""
    from PIL import Image
    from sklearn.datasets import load_digits

    Image.fromarray((load_digits().images[5] * 15).astype("uint8")).save(path)
