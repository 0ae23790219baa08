"""A run on a disk that is full, and again once there is room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import ROOT
from tests.datasets import write_folder
from tests.runs import QUICK

pytestmark = pytest.mark.slow

# A file system of its own, in a mount namespace of its own, where this user may make one.
SCRIPT = """
mount -t tmpfs -o size=400k tmpfs "$1" || exit 99
shift
"$@"; full=$?
mount -o remount,size=100m "$(dirname "$0")" && "$@"
echo "codes $full $?"
"""


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode:
        pytest.skip("this user cannot mount")
    images, small = write_folder(tmp_path / "pictures", train=20, test=10), tmp_path / "small"
    small.mkdir()
    settings = [f"--set={setting}" for setting in QUICK]
    run = [sys.executable, "-m", "pipeline", "run", "--data", str(images), "--run-dir", str(small), *settings]
    command = ["unshare", "-rm", "sh", "-c", SCRIPT, f"{small}/x", str(small), *run, "--to", "StatisticsGen"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 99:
        pytest.skip("this user cannot mount there")
    lines = done.stdout.splitlines()
    assert lines[-1] == "codes 1 0", done.stdout + done.stderr
    (failed,) = [line for line in lines if line.startswith("failed ")]
    assert f"no space left on the file system of {small} (" in failed
    assert "make room and run the same command to resume" in failed
    assert "Traceback" not in done.stdout + done.stderr
