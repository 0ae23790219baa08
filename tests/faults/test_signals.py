"""SIGTERM ends a run at once, wherever it is, with a result and a message; the same command goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.contracts.counts import COUNTS_FILE
from pipeline import ROOT
from pipeline.tracking import metadata
from tests.datasets import write_folder
from tests.runs import QUICK, store_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_outside_the_training(number: int, code: int, tmp_path: Path) -> None:
    images, runs = write_folder(tmp_path / "pictures", train=20, test=10), tmp_path / "runs"
    settings = [f"--set={setting}" for setting in QUICK]
    command = [sys.executable, "-m", "pipeline", "run", "--data", str(images), "--run-dir", str(runs), *settings]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=_defaults) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.split()[:1] == ["ExampleGen"]:
                break
        began = time.monotonic()
        process.send_signal(number)
        said = process.stdout.read()
        assert process.wait() == code, said
    assert time.monotonic() - began < 60, "seconds, on a busy machine too"
    assert "run the same command to resume" in said
    assert signal.Signals(number).name in said
    (result,) = (runs / "runs").glob("*/result.json")
    assert json.loads(result.read_text())["exit_code"] == code
    store = store_of(runs)
    assert metadata.left_running(store.get_executions()) == []
    assert (runs / "lock").read_text() == ""
    (counts,) = runs.rglob(COUNTS_FILE)
    assert counts.exists(), "what was done is kept"


def _defaults() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
