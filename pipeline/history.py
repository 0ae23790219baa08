"""`runs` and `show`: the runs of a run directory, the newest first, and one of them."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline import metadata, run_dir, summary
from pipeline.config import Config
from pipeline.result import Result


def show(config: Config, as_json: bool) -> int:
    rows = [_row(config, run) for run in _runs(config)]
    if as_json:
        print(json.dumps(rows, indent=2))
    elif not rows:
        print(f"no runs in {config.run_dir}; make the first with `python -m pipeline run`")
    else:
        table = Table(box=None, pad_edge=False)
        for title in ("run", "started", "name", "data", "ended", "accuracy", "blessed", "version", "seconds"):
            table.add_column(title, justify="right" if title in ("accuracy", "version", "seconds") else "left")
        for row in rows:
            table.add_row(*(_cell(key, row[key]) for key in _KEYS))
        width = None if sys.stdout.isatty() else 200
        Console(highlight=False, width=width).print(table)
    return 0


def show_one(config: Config, run_id: str | None, as_json: bool) -> int:
    """The stages of a run and its last lines, as they were on the screen."""
    result = Result.read(run_dir.find_run(config, run_id) / run_dir.RESULT_FILE)
    if as_json:
        print(json.dumps(result.to_json(), indent=2))
        return 0
    print(f"run       {result.run_id} of {result.name}, data {result.source}")
    for stage, report in result.stages.items():
        print(f"  {stage:<17} {report['state']:<8} {report['seconds']:6.1f} s")
    summary.show(result, sys.stdout)
    return 0


_KEYS = ("run_id", "started", "name", "source", "ended", "accuracy", "blessed", "version", "seconds")


def _runs(config: Config) -> list[metadata.Run]:
    return metadata.runs(metadata.open_store(config)) if metadata.exists(config) else []


def _row(config: Config, run: metadata.Run) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(_KEYS)
    row |= {
        "run_id": run.id,
        "name": run.pipeline,
        "started": datetime.fromtimestamp(run.started).isoformat(sep=" ", timespec="seconds"),
        "ended": "no" if run_dir.of_run(config, run.id).exists() else None,  # another run directory knows
    }
    file = run_dir.of_run(config, run.id) / run_dir.RESULT_FILE
    if file.exists():
        result = json.loads(file.read_text(encoding="utf-8"))
        row |= {
            "source": result["source"],
            "ended": {0: "done", 1: "failed", 2: "mistake", 3: "refused", 130: "interrupted"}[result["exit_code"]],
            "accuracy": ((result["metrics"] or {}).get("accuracy") or {}).get("value"),
            "blessed": result["blessed"],
            "version": (result["pushed"] or {}).get("version"),
            "seconds": round(sum(result["seconds"].values()), 1),
        }
    return row


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key == "accuracy":
        return f"{value:.2%}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
