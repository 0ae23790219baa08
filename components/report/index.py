"""The index page of a run directory."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from components.contracts.run_result import Result
from components.report import charts, page


@dataclasses.dataclass(frozen=True)
class Entry:
    """A run that has ended: its result and its pages."""

    result: Result
    when: datetime | None = None  # it began, local time
    report: Path | None = None
    card: Path | None = None


def build(
    entries: Sequence[Entry],
    path: Path,
    comparisons: Sequence[tuple[str, Path]] = (),
    damaged: Sequence[str] = (),
) -> None:
    """Write the page to `path`.

    Args:
      entries: the oldest first; the page begins with the newest.
      comparisons: the pages that compare two runs, each with its title.
      damaged: a line for each run whose result cannot be read.
    """
    measured: dict[str, list[dict[str, float]]] = {}
    for entry in entries:
        if entry.result.metrics:
            measured.setdefault(entry.result.name, []).append(entry.result.metrics["accuracy"])
    rows = [
        {
            "result": entry.result,
            "when": entry.when.isoformat(sep=" ", timespec="minutes") if entry.when else "",
            "verdict": page.verdict(entry.result),
            "report": entry.report and page.link(str(entry.report), path.parent),
            "card": entry.card and page.link(str(entry.card), path.parent),
            "seconds": sum(entry.result.seconds.values()),
        }
        for entry in reversed(entries)
    ]
    page.write(
        "index.html",
        path,
        rows=rows,
        charts={name: _chart(name, values) for name, values in sorted(measured.items()) if len(values) > 1},
        comparisons=[(title, page.link(str(file), path.parent)) for title, file in comparisons],
        damaged=damaged,
    )


def _chart(name: str, values: Sequence[dict[str, float]]) -> Any:
    """Draw the accuracy of every evaluated run, with its interval."""
    runs = range(1, len(values) + 1)
    ends = {"accuracy": "value", "interval from": "low", "to": "high"}
    series = {title: (runs, [value[key] for value in values]) for title, key in ends.items()}
    return charts.lines(f"accuracy of {name} by run", series, "evaluated run", percent=True)
