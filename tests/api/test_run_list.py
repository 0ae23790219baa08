"""The runs of a run directory in Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import image_pipeline as ip
from pipeline import ROOT
from pipeline.cli import main
from tests.runs import History, copied

TYPES = {
    "when": "datetime64[ns]",
    "name": "object",
    "data": "object",
    "preset": "object",
    "state": "object",
    "accuracy": "float64",
    "accuracy_low": "float64",
    "accuracy_high": "float64",
    "blessed": "boolean",
    "pushed": "object",
    "served": "object",
    "seconds": "float64",
}


def test_where_there_are_none(tmp_path: Path) -> None:
    for run_dir in (tmp_path, tmp_path / "none"):
        runs = ip.runs(run_dir=run_dir)
        assert (len(runs), runs.index.name) == (0, "run_id")
        assert runs.dtypes.astype(str).to_dict() == TYPES
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_does_not_import_pandas() -> None:
    code = (
        "import importlib, sys; from pipeline.cli import COMMANDS\n"
        "[importlib.import_module(f'pipeline.cli.{name}') for name in COMMANDS]\n"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.slow
def test_a_row_a_run(history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(history.folder, tmp_path / "runs")
    (folder / "runs" / history.other.run_id / "result.json").write_text("{")
    capsys.readouterr()
    runs = ip.runs(run_dir=folder)
    assert capsys.readouterr() == ("", "")
    assert runs.dtypes.astype(str).to_dict() == TYPES
    assert main(["runs", "--json", "-q", "--run-dir", str(folder)]) == 0
    printed = {row["run_id"]: row for row in json.loads(capsys.readouterr().out)}
    assert runs.index.tolist() == list(printed)
    for run_id, row in printed.items():
        listed = runs.loc[run_id]
        for key in ("name", "data", "preset", "state", "pushed"):
            assert listed[key] == row[key]
        assert listed["when"].isoformat(sep=" ", timespec="minutes") == row["when"]
        assert listed["served"] == (row["served"] or {}).get("version")
        if row["accuracy"]:
            assert listed["accuracy"] == row["accuracy"]["value"]
            assert listed["accuracy_low"] < listed["accuracy"] < listed["accuracy_high"]
    damaged = runs.loc[history.other.run_id]
    assert damaged["state"] == "damaged"
    assert pd.isna(damaged[["accuracy", "blessed", "seconds"]]).all()
    with pytest.raises(ip.UserError, match=r"result.json is damaged: its end is missing"):
        ip.find_run(history.other.run_id, run_dir=folder)
    assert runs[runs["blessed"]].index.tolist() == [history.again.run_id, history.first.run_id]
    shutil.rmtree(folder)
