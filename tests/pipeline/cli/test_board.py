"""`board` on real runs, by TensorBoard itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from pipeline import ROOT
from tests.runs import History


@pytest.mark.slow
def test_the_board_shows_every_training_by_its_run(history: History) -> None:
    command = [sys.executable, "-m", "pipeline", "board", "--port", "0", "--run-dir", str(history.folder)]
    board = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert board.stdout is not None
        said = board.stdout.readline()
        trained = (history.first, history.second, history.other)
        assert f"shows 3 trainings of {history.folder}" in said
        url = said.split()[1]
        wanted = {f"{one.run_id}/{part}" for one in trained for part in ("train", "validation")}
        shown: set[str] = set()
        for _ in range(60):
            with urllib.request.urlopen(f"{url}data/runs", timeout=30) as answer:
                shown = set(json.load(answer))
            if shown >= wanted:
                break
            time.sleep(0.5)
        assert shown == wanted
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert b"TensorBoard" in answer.read()
    finally:
        board.send_signal(signal.SIGINT)
        assert board.wait(60) == 0
