"""The index page of a run directory."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from components.contracts.run_result import Result
from components.report import charts, page

LONG = 24  # characters of a source; of more the table shows the end


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
    comparisons: Sequence[Path] = (),
    damaged: Sequence[str] = (),
    compare: str = "image-pipeline compare FIRST SECOND --open",
) -> None:
    """Write the page to `path`.

    Args:
      entries: the oldest first; the page begins with the newest.
      comparisons: the pages that compare two runs, called RUN..RUN.html.
      damaged: a line for each run whose result cannot be read.
      compare: the command that compares two runs, called FIRST and SECOND in it.
    """
    rows = [
        {
            "result": entry.result,
            "when": entry.when.isoformat(sep=" ", timespec="minutes") if entry.when else "",
            "data": _last_part(entry.result.source),
            "verdict": page.verdict(entry.result),
            "report": _link(entry.report, path),
            "card": _link(entry.card, path),
            "seconds": sum(entry.result.seconds.values()),
        }
        for entry in reversed(entries)
    ]
    page.write(
        "index.html",
        path,
        scripts=("index.js",),
        rows=rows,
        names=sorted({entry.result.name for entry in entries}),
        charts=_charts(entries, path),
        comparisons={file.stem: _link(file, path) for file in comparisons},
        damaged=damaged,
        compare=compare,
    )


def _link(file: Path | None, path: Path) -> str | None:
    return page.link(str(file), path.parent) if file else None


def _last_part(source: str) -> str:
    """Return the end of a long path, which tells the data apart; other sources as they are."""
    name = source.rstrip("/").rpartition("/")[2]
    return f"…/{name}" if len(source) > LONG and name != source else source


def _charts(entries: Sequence[Entry], path: Path) -> dict[str, Markup]:
    """Draw the accuracy of every evaluated run over time, a chart a name."""
    measured: dict[str, list[charts.Run]] = {}
    for entry in entries:
        result = entry.result
        if result.metrics and entry.when:
            accuracy = result.metrics["accuracy"]
            label = f"run {result.run_id}: {accuracy['value']:.2%} ({accuracy['low']:.2%} to {accuracy['high']:.2%})"
            value, low, high = (accuracy[key] for key in ("value", "low", "high"))
            run = charts.Run(entry.when, value, low, high, label, _link(entry.report, path))
            measured.setdefault(result.name, []).append(run)
    return {
        name: charts.history(f"accuracy of {name} over time", runs, "accuracy")
        for name, runs in sorted(measured.items())
        if len(runs) > 1
    }
