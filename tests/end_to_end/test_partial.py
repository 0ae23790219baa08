"""Parts of the chain, interrupted runs, and two runs at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from components.contracts.run_result import Result
from components.errors import UserError
from components.pusher import manifest
from pipeline import ROOT
from pipeline.cli import main
from pipeline.config import load
from pipeline.runs import run_dir
from tests.datasets import write_folder
from tests.runs import LENIENT, QUICK, executed, run, screen_of

pytestmark = pytest.mark.slow


class InParts(NamedTuple):
    """A run in two parts."""

    pictures: Path
    runs: Path
    head: Result
    tail: Result


@pytest.fixture(scope="module")
def in_parts(tmp_path_factory: pytest.TempPathFactory) -> InParts:
    root = tmp_path_factory.mktemp("parts")
    pictures, runs = write_folder(root / "pictures", train=20, test=10), root / "runs"
    head = run(runs, pictures, *LENIENT, last="Transform")
    assert head.exit_code == 0
    with pytest.raises(UserError, match=r"the latest run of 'pictures', .*, ended before Trainer; use --from Trainer,"):
        run(runs, pictures, *LENIENT, first="Evaluator")
    return InParts(pictures, runs, head, run(runs, pictures, *LENIENT, first="Trainer"))


def test_from_and_to_run_a_part_of_the_chain(in_parts: InParts) -> None:
    head, tail = in_parts.head, in_parts.tail
    assert executed(head) == ["ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataGate", "Transform"]
    assert executed(tail) == ["Trainer", "Evaluator", "ServingCheck", "Pusher"]
    assert tail.pushed is not None
    assert tail.counts == head.counts


def test_a_pushed_version_that_was_removed_or_damaged_is_pushed_again(
    in_parts: InParts, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures, runs = in_parts.pictures, in_parts.runs
    assert in_parts.tail.pushed is not None
    shutil.rmtree(in_parts.tail.pushed["path"])
    again = run(runs, pictures, *LENIENT)
    assert executed(again) == ["Pusher"]
    assert again.pushed is not None
    assert (Path(again.pushed["path"]) / "saved_model.pb").exists()
    variables = Path(again.pushed["path"], "variables", "variables.index")
    variables.write_bytes(variables.read_bytes()[:100])
    model = ["--model", again.pushed["path"]]
    assert main(["predict", *model, str(next(pictures.rglob("*.png")))]) == 1
    assert "variables/variables.index is not the file that was pushed" in capsys.readouterr().err
    mended = run(runs, pictures, *LENIENT)
    assert executed(mended) == ["Pusher"]
    assert [line for line in mended.warnings if f"version {again.pushed['version']}" in line and "variables" in line]
    assert mended.pushed is not None
    assert int(mended.pushed["version"]) == int(again.pushed["version"]) + 1
    assert manifest.damage(mended.pushed["path"]) == ""
    assert run(runs, pictures, *LENIENT).pushed == mended.pushed


def test_ctrl_c_and_kill_leave_a_run_directory_that_goes_on(tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and the training goes on; what kill -9 leaves, doctor finds and the next run mends."""
    pictures = write_folder(tmp_path / "pictures", train=20, test=10)
    runs = tmp_path / "runs"
    settings = [f"--set={setting}" for setting in (*QUICK, *LENIENT)]
    command = [sys.executable, "-m", "pipeline", "run", "--data", str(pictures), "--run-dir", str(runs), *settings]
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        with (tmp_path / f"screen{code}").open("w") as screen:
            process = subprocess.Popen(
                [*command, "--set=trainer.epochs=100000", "--set=trainer.checkpoint_seconds=0"],
                cwd=ROOT,
                stdout=screen,
                stderr=subprocess.DEVNULL,
                preexec_fn=_hear_ctrl_c,
            )
        wait_for_training(runs, process)
        with (
            pytest.raises(UserError, match="another run"),
            run_dir.locked(load("digits", None, (f"run_dir={runs}",))[0]),
        ):
            pass
        assert end(process, number) == code
    assert "training resumes after step" in (tmp_path / "screen130").read_text()
    logs = sorted((runs / "runs").glob("*/run.log"))
    assert "training resumes after step" in logs[1].read_text(), "where the first one was stopped"
    interrupted, killed = (log.parent / "report.html" for log in logs)
    assert "interrupted" in interrupted.read_text()
    assert not killed.exists()
    doctor = ["doctor", "--preset", "small", "--set", "name=pictures", "--run-dir", str(runs)]
    assert main(doctor) == 1
    result, said = screen_of(runs, pictures, *LENIENT)
    assert result.exit_code == 0, result.why
    assert "cleaned   what a killed run left behind: 1 execution left RUNNING" in said
    assert main(doctor) == 0
    assert "ExampleGen" not in executed(result)


def end(process: subprocess.Popen[bytes], number: int) -> int:
    """The exit code after the signal; sent again as a person would where a callback of a library swallowed it."""
    for _ in range(8):
        process.send_signal(number)
        try:
            return process.wait(30)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"signal {number} does not end the run")


def _hear_ctrl_c() -> None:
    """What a shell starts in the background is deaf to it, and so is what that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_training(runs: Path, process: subprocess.Popen[bytes]) -> None:
    """Until a step is done and kept, in this process and not in one before."""
    deadline, before = time.monotonic() + 240, kept(runs)
    while time.monotonic() < deadline and process.poll() is None:
        if kept(runs) != before:
            return
        time.sleep(0.2)
    raise AssertionError(f"training never started (exit code {process.poll()}, pid {os.getpid()})")


def kept(runs: Path) -> list[int]:
    return [file.stat().st_mtime_ns for file in (runs / "checkpoints").glob("*/checkpoint")]
