"""`run` as a person sees it: what it prints with -q and -v, and how a stop at the gate goes on."""

from __future__ import annotations

import csv
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import ROOT
from pipeline.cli import main
from tests.datasets import write_folder

SMALL = ["--set", "trainer.epochs=1", "--set", "trainer.width=8", "--set", "transform.size=16"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with an image in two splits and two that are damaged."""
    folder = write_folder(tmp_path / "photos", train=12, test=6)
    images = sorted((folder / "train").rglob("*.png"))
    (folder / "test" / images[0].parent.name / "again.png").write_bytes(images[0].read_bytes())
    for image in images[3:5]:
        image.write_bytes(image.read_bytes()[:50])
    return folder


@pytest.mark.slow
def test_after_a_stop_at_the_gate_the_command_that_is_printed_continues(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["run", str(photos), "--to", "DataGate", "--set", "gate.leaks=stop", "--run-dir", str(tmp_path / "runs")]
    assert main([*words, *SMALL]) == 3
    lines = capfd.readouterr().out.splitlines()
    listed = next(line for line in lines if line.startswith("findings "))
    path = Path(listed.split(maxsplit=1)[1].partition(": ")[0])
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted({(row["check"], row["action"]) for row in rows}) == [("leaks", "stop"), ("rejected", "stop")]
    for row in rows:
        assert (photos / row["path"]).is_file() or (tmp_path / row["path"]).is_file(), row
    command = next(line.removeprefix("next").strip() for line in lines if " run " in line and "gate.leaks=drop" in line)
    assert "gate.leaks=stop" not in command

    assert main([*shlex.split(command)[1:], "--quiet"]) == 0
    said = capfd.readouterr()
    assert (said.out, said.err) == ("partial   ended after DataGate, as requested\n", "")


@pytest.mark.slow
def test_verbose_shows_the_log_too(tmp_path: Path) -> None:
    """In a process of its own: in this one pytest has the records of the libraries' loggers, and not the log."""
    folder = write_folder(tmp_path / "photos", train=6, test=3)
    words = ["run", str(folder), "-v", "--to", "ExampleGen", "--run-dir", str(tmp_path / "runs"), *SMALL]
    done = subprocess.run([sys.executable, "-m", "pipeline", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    (log,) = tmp_path.glob("runs/runs/*/run.log")
    logged = [line for line in log.read_text().splitlines() if line.isprintable() and len(line) < 2000]
    assert logged
    assert [line for line in logged if line not in shown] == []
