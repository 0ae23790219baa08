"""`runs`: list the runs of a run directory."""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from components.errors import UserError
from components.text import printable
from pipeline import tables
from pipeline.cli.messages import Messages, Step, command_line
from pipeline.cli.options import CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.output import short
from pipeline.runs import listing, run_dir

_GAP = 2  # spaces between columns
_READABLE, _LEAST = 20, 6  # characters of a shortened text: before something else is left out, and in the end
# What is left out on a narrow terminal, the least important first: columns, then parts of others.
_NARROWER = ("preset", "blessed", "seconds", "id", "interval", "year")
FILTERS = ("name", "data", "preset", "state", "blessed", "pushed")
# The best, the newest or the longest first.
SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "when": lambda row: row["run_id"],
    "accuracy": lambda row: (row["accuracy"] or {"value": -1.0})["value"],
    "time": lambda row: row["seconds"] or 0.0,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("--sort accuracy", "the best first"), ("--filter state=refused", "runs that a gate refused"))
    describe(parser, "List the runs of a run directory.", examples, CODES)
    add_quiet(parser, "the runs")
    add_store(parser)
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="filters",
        help="only runs whose name, data, preset, state, blessed or pushed is VALUE (yes, no, * matches anything); "
        "KEY alone means yes (repeatable)",
    )
    parser.add_argument("--sort", choices=tuple(SORTS), default="when", help="sort key, largest first (default: when)")
    parser.add_argument("--json", action="store_true", help="print a JSON array")


def command(config: Config, args: argparse.Namespace) -> int:
    """Print the runs that match all filters (KEY=PATTERN, or KEY for KEY=yes), sorted by a key of SORTS."""
    checks = [_parse(text) for text in args.filters]
    everything = listing.rows(config)
    rows = [row for row in everything if all(_passes(row, *check) for check in checks)]
    rows.sort(key=lambda row: (SORTS[args.sort](row), row["run_id"]), reverse=True)
    if args.json:
        print(json.dumps(rows, indent=2))
    elif not everything:
        print(f"no runs in {config.run_dir}; make the first with `image-pipeline run`")
    elif not rows:
        print(f"none of the {len(everything)} runs in {config.run_dir} is {' and '.join(args.filters)}")
    else:
        _print(rows)
        for row in rows:
            if served := row["served"]:
                copy = f", which is version {served['is']} again" if served["is"] != served["version"] else ""
                print(f"served: version {served['version']} of {printable(row['name'])}{copy}, of run {row['run_id']}")
        for row in rows:
            if row["damaged"]:
                print(f"damaged: {short(row['damaged'])} cannot be read; `show {row['run_id']}` says what to do")
    if everything:
        Messages.of(args).next(_next(config, [row["run_id"] for row in rows or everything if not row["damaged"]]))
    return 0


def _next(config: Config, run_ids: Sequence[str]) -> list[Step]:
    runs = [run_dir.beginning(run_id, run_dir.run_ids(config)) for run_id in run_ids[:2]]
    steps = [(command_line(config, "show", run), "one run") for run in runs[:1]]
    if len(runs) > 1:
        steps.append((command_line(config, "compare", runs[1], runs[0]), "two runs side by side"))
    return steps


def _parse(text: str) -> tuple[str, str]:
    key, _, pattern = text.partition("=")
    if key not in FILTERS:
        raise UserError(f"--filter {text!r}: filter by {', '.join(FILTERS)}, as in --filter name=digits")
    return key, pattern or "yes"


def _passes(row: dict[str, Any], key: str, pattern: str) -> bool:
    value = row[key]
    if pattern in ("yes", "no"):
        return bool(value) == (pattern == "yes")
    return fnmatch.fnmatchcase(str(value or ""), pattern)


def _print(rows: Sequence[dict[str, Any]]) -> None:
    """Print a table; on a narrow terminal data is shortened, then the least important is left out."""
    space = tables.room(sys.stdout)
    for narrower in range(len(_NARROWER) + 1):
        columns, table = _table(rows, _NARROWER[:narrower])
        widths = dict(zip(columns, tables.fit(table, tables.WIDE, _GAP)))
        excess = sum(widths.values()) + _GAP * (len(columns) - 1) - space
        if excess <= max(0, widths["data"] - _READABLE):
            break
    for key in ("data", "name"):
        kept = min(widths[key], max(_LEAST, widths[key] - max(0, excess)))
        excess -= widths[key] - kept
        number = columns.index(key)
        for cells in table:
            cells[number] = tables.shortened(cells[number], kept)
    right = [columns.index(key) for key in ("pushed", "seconds") if key in columns]
    tables.print_table(table, indent=0, gap=_GAP, right=right)


def _table(rows: Sequence[dict[str, Any]], narrower: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return the columns, and the cells with their titles, without what `narrower` names of _NARROWER."""
    columns = [key for key in listing.COLUMNS if key not in narrower]
    run_ids = [row["run_id"] for row in rows]
    table = [[{"run_id": "run", "seconds": "time"}.get(key, key) for key in columns]]
    for row in rows:
        cells = {key: _cell(key, row[key]) for key in columns}
        if "interval" in narrower and row["accuracy"]:
            cells["accuracy"] = f"{row['accuracy']['value']:7.2%}"
        if "id" in narrower:
            cells["run_id"] = run_dir.beginning(row["run_id"], run_ids)
        if "year" in narrower:
            cells["when"] = cells["when"].partition("-")[2] or cells["when"]
        table.append([cells[key] for key in columns])
    return columns, table


def _cell(key: str, value: Any) -> str:
    if value is None or value == "":
        return "-"
    if key == "accuracy":
        return f"{value['value']:7.2%} ({value['low']:.1%} to {value['high']:.1%})"
    if key == "seconds":
        return f"{value:,.1f} s"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))
