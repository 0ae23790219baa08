"""The comparison of two runs as text: what `compare` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from components.contracts.metrics import METRICS
from components.report import comparison_page
from components.report.comparison import ComparedRun
from components.report.page import verdict
from components.text import printable
from pipeline import tables
from pipeline.runs import run_dir

_INDENT = 2  # of the tables
_ROOMY = 100  # columns from which the ids of runs are printed whole
_ROWS = 10  # of statistics and classes; the page has all


def show(compared: Sequence[ComparedRun], differences: dict[str, Any], file: TextIO) -> None:
    """Print two runs side by side.

    Args:
      compared: the two runs.
      differences: of the two, as components.report.comparison.compare returns them.
      file: to print to; on a terminal the lines are as wide as it.
    """
    sheet = _Sheet()
    seconds = (f"{seconds:,.1f} s" for seconds in differences["seconds"])
    run_ids = differences["runs"]
    if tables.room(file) < _ROOMY:
        run_ids = [run_dir.beginning(run_id, run_ids) for run_id in run_ids]
    sheet.table([("", *run_ids), ("", *map(_head, compared)), ("", *seconds)])
    sheet.section("config", _changed(differences["config"]), "the same")
    if differences["libraries"]:
        sheet.section("libraries", _changed(differences["libraries"]), "")
    code = differences["code"]
    sheet.say("code", f"of {', '.join(code)} differs" if code else "the same")
    if differences["data"]:
        _print_data(sheet, differences["data"])
    if differences["metrics"]:
        _print_metrics(sheet, differences["metrics"])
    if differences["cannot"]:
        sheet.say("cannot be compared", "")
        for line in differences["cannot"]:
            sheet.say("", line)
    sheet.print(file)


def _head(run: ComparedRun) -> str:
    result = run.result
    ended = f"pushed as version {result.pushed['version']}" if result.pushed else verdict(result)["badge"]
    return f"{result.name}, {ended}"


def _changed(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(row["key"], comparison_page.value(row["a"]), comparison_page.value(row["b"])) for row in rows]


def _print_data(sheet: _Sheet, data: dict[str, Any]) -> None:
    sameness = {"artifact": "the same, byte for byte", "content": "the same files, read again", None: "differs"}
    sheet.say("data", sameness[data["same"]])
    if data["same"] == "artifact":
        return
    for key, word in (("only_a", "first"), ("only_b", "second")):
        if data[key]:
            sheet.say("", f"classes only in the {word} run: {_names(data[key])}")
    rows: list[Sequence[str]] = [(row["of"], f"{row['a']:,}", f"{row['b']:,}", _signed(row)) for row in data["counts"]]
    rows += [
        (f"{row['split']} of {printable(row['name'], 40)!r}", f"{row['a']:,}", f"{row['b']:,}", _signed(row))
        for row in data["classes"][:_ROWS]
    ]
    moved = [row for row in data["statistics"] if row["moved"] is None or abs(row["moved"]) >= data["moved_by"]]
    for row in moved[:_ROWS]:
        by = "is constant" if row["moved"] is None else f"{row['moved']:+.2f} standard deviations"
        rows.append((f"{row['name']} in {row['split']}", f"{row['a']:.4g}", f"{row['b']:.4g}", by))
    sheet.table(rows)
    remaining = max(0, len(data["classes"]) - _ROWS) + max(0, len(moved) - _ROWS)
    if remaining:
        sheet.say("", f"and {remaining} more; --json has all")
    if data["statistics"] and not moved:
        sheet.say("", f"no image statistic changed by more than {data['moved_by']} standard deviations")


def _print_metrics(sheet: _Sheet, metrics: dict[str, Any]) -> None:
    counts = metrics["pictures"]
    paired = metrics["both"]
    on = f"{counts[0]:,} and {counts[1]:,} test images"
    if paired["pictures"] == "same":
        on = f"the same {counts[0]:,} test images"
    sheet.say("metrics", f"on {on}, intervals at {metrics['confidence']:.0%}")
    rows: list[Sequence[str]] = [
        (metric.label, metric.words(row["a"]), metric.words(row["b"]), comparison_page.change(row))
        for row in metrics["rows"]
        for metric in [METRICS[row["name"]]]
    ]
    changed = [row for row in metrics["classes"] if row["difference"]]
    for row in changed[:_ROWS]:
        points = f"{row['difference'] * 100:+.2f} points"
        rows.append(
            (
                f"recall of {printable(row['name'], 40)!r}",
                *(METRICS["accuracy"].words(row[key]) for key in "ab"),
                points,
            )
        )
    sheet.table(rows)
    if len(changed) > _ROWS:
        sheet.say("", f"and {len(changed) - _ROWS} more classes; --json has all")
    if metrics["accuracy_interval"]:
        ends = metrics["accuracy_interval"]
        low, high = (f"{ends[key] * 100:+.2f}" for key in ("low", "high"))
        difference = f"{metrics['rows'][0]['difference'] * 100:+.2f}"
        interval = f"{metrics['confidence']:.0%} interval {low} to {high}, {ends['method']}"
        sheet.say("", f"difference in accuracy: {difference} points ({interval})")
    if paired["shared"]:
        sheet.say("", comparison_page.in_words(paired, 1 - metrics["confidence"]))


def _signed(row: dict[str, Any]) -> str:
    return f"{row['b'] - row['a']:+,}" if row["b"] != row["a"] else ""


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _ROWS} more" if len(names) > _ROWS else ""
    return ", ".join(repr(printable(name, 40)) for name in names[:_ROWS]) + more


class _Sheet:
    """Lines and tables, printed together so that the columns of the two runs line up in all tables."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, str] | list[Sequence[str]]] = []

    def say(self, title: str, text: str) -> None:
        self._parts.append((title, text))

    def table(self, rows: Iterable[Sequence[str]]) -> None:
        """Add rows of what is compared, the values of the first and of the second run, and what changed."""
        self._parts.append([[tables.solid(cell) for cell in row] for row in rows])

    def section(self, title: str, rows: Sequence[Sequence[str]], otherwise: str) -> None:
        self.say(title, "" if rows else otherwise)
        self.table(rows)

    def print(self, file: TextIO) -> None:
        room = tables.room(file)
        rows = [row for part in self._parts if isinstance(part, list) for row in part]
        widths = tables.fit(rows, room - _INDENT, gap=1, least=(28, 30, 30))
        for part in self._parts:
            if isinstance(part, tuple):
                tables.print_titled(*part, file=file)
                continue
            for line in tables.lines(part, widths, gap=1):
                print(f"{' ' * _INDENT}{line}", file=file)
