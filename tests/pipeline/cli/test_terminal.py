"""What the commands print on real terminals of 80 and 120 columns, and in a pipe."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from components.contracts import run_result
from components.contracts.run_result import Result
from pipeline import ROOT
from tests.runs import History
from tests.terminals import on_terminal

RUN_IDS = ("20261126-031734.783-524c1c", "20261126-032103.864-2454d7", "20261126-032103.990-6a3e43")
SOURCE = "/home/someone/data/sets/of/photos/of/animals-and-plants.zip"

STAGES = """
import sys
from pipeline import ALL_STAGES
from pipeline.platforms import stage_table

with stage_table.make(ALL_STAGES, sys.stdout) as screen:
    screen.started("ExampleValidator")
    screen.ended("ExampleValidator", "interrupted", 1234.5)
    screen.started("Trainer")
    screen.progress("epoch 8/8, step 22/22, loss 0.530, accuracy 0.997, validation accuracy 1.000")
    screen.ended("Trainer", "done", 31.0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with three runs, two of which began in the same second."""
    root = tmp_path_factory.mktemp("terminal")
    for number, run_id in enumerate(RUN_IDS):
        path = root / "output" / "runs" / run_id
        path.mkdir(parents=True)
        accuracy = {"value": 0.9162, "low": 0.8664, "high": 0.9486}
        result = Result(
            run_id=run_id,
            name="animals",
            source=SOURCE,
            preset="photos",
            exit_code=(0, 3, 130)[number],
            log="",
            artifacts="",
            stages={"Trainer": {"state": "done", "seconds": 1234.5}},
            metrics={"accuracy": accuracy} if number < 2 else None,
            pushed={"version": "1", "path": ""} if number == 0 else None,
        )
        run_result.write(path / "result.json", result)
    return root


def runs(folder: Path, columns: int) -> list[str]:
    code, text = on_terminal([sys.executable, "-m", "pipeline", "runs", "-q"], columns, folder)
    assert code == 0, text
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("columns", [80, 120])
def test_runs_fit(folder: Path, columns: int) -> None:
    title, *rows = runs(folder, columns)
    assert max(map(len, (title, *rows))) <= columns
    assert title.split()[:5] == ["run", "when", "name", "data", "state"]
    assert len(rows) == 3
    for row, state in zip(rows, ("interrupted", "refused", "pushed")):
        run_id, day, time, name, source, printed_state = row.split()[:6]
        assert sum(known.startswith(run_id) for known in RUN_IDS) == 1, "it can be given to another command"
        assert (day[-5:], name, printed_state) == ("11-26", "animals", state)
        assert re.fullmatch(r"\d\d:\d\d", time)
        assert SOURCE.startswith(source.partition("…")[0])
        assert SOURCE.endswith(source.partition("…")[2])
    assert "91.62%" in rows[-1]
    assert ("(86.6% to 94.9%)" in rows[-1]) == (columns == 120)


def test_in_a_pipe_each_row_is_a_whole_line(folder: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "runs", "-q"]
    done = subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    title, *rows = done.stdout.splitlines()
    assert title.split()[-4:] == ["accuracy", "blessed", "pushed", "time"]
    assert len(rows) == 3
    assert all(SOURCE in row for row in rows)
    assert [row.split()[0] for row in rows] == sorted(RUN_IDS, reverse=True)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_live_table_shows_every_number(tmp_path: Path, columns: int) -> None:
    code, text = on_terminal([sys.executable, "-c", STAGES], columns, tmp_path)
    assert code == 0, text
    last = text[text.rindex("ExampleGen") :]
    assert max(map(len, last.splitlines())) <= columns
    for words in ("validation accuracy 1.000", "1234.5 s", "interrupted", "Pusher"):
        assert words in " ".join(last.split())


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 120])
def test_compare_and_why_break_no_number(history: History, columns: int, tmp_path: Path) -> None:
    first, second = history.first.run_id, history.other.run_id
    place = ["--run-dir", str(history.folder)]
    for words in (["compare", "-q", first, second], ["lineage", first, "--why"]):
        code, text = on_terminal([sys.executable, "-m", "pipeline", *words, *place], columns, tmp_path)
        assert code == 0, text
        tables = re.split(r"^trained ", text, flags=re.MULTILINE)[0]  # a hash below is longer than the terminal is wide
        table = [line for line in tables.splitlines() if line.startswith("  ") and line.strip()]
        assert table
        assert all(len(line) <= columns for line in table), text
        assert not re.findall(r"^ +[\d.]+%?\)|\(\d[^)]*$", "\n".join(table), re.MULTILINE), text
