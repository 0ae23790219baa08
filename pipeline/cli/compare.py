"""`compare RUN RUN`: two runs side by side, as text, JSON or a page."""

from __future__ import annotations

import argparse
import json
import sys
import webbrowser
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import ml_metadata as mlmd

from components.contracts.metrics import METRICS
from components.errors import UserError
from components.report import comparison_page
from components.report.comparison import ComparedRun, compare
from components.report.page import verdict
from components.text import printable
from pipeline import tables
from pipeline.cli.messages import Messages, command_line
from pipeline.cli.options import CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config, flatten
from pipeline.output import short
from pipeline.runs import result as results
from pipeline.runs import run_dir
from pipeline.tracking import metadata

READ = {
    "examples": ("ExampleGen", "examples"),
    "statistics": ("StatisticsGen", "statistics"),
    "model_run": ("Trainer", "model_run"),
    "predictions": ("ServingCheck", "predictions"),
}
_INDENT = 2  # of the tables
_ROOMY = 100  # columns from which the ids of runs are printed whole
ROWS = 10  # of statistics and classes in the text; the page has all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("20261126-03 20261126-04", "two runs by the beginnings of their ids"), ("RUN RUN --open", "as a page"))
    describe(parser, "Compare two runs: configuration, code, data and results.", examples, CODES)
    parser.add_argument("runs", nargs=2, metavar="RUN", help="run id, or its beginning")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")
    parser.add_argument(
        "--html",
        nargs="?",
        const="",
        metavar="FILE",
        help="write a page (default: in the run directory), print its path",
    )
    parser.add_argument("--open", action="store_true", help="write the page and open it in the browser")
    add_quiet(parser, "the comparison", "what TensorFlow prints")
    add_store(parser)


def command(config: Config, args: argparse.Namespace) -> int:
    """Compare the two runs."""
    messages = Messages.of(args)
    folders = [run_dir.find_run(config, run) for run in args.runs]
    store = metadata.known_store(config)
    compared = [_compared_run(store, folder) for folder in folders]
    differences = compare(compared[0], compared[1])
    if args.json:
        print(json.dumps(differences, indent=2))
    elif args.html is None and not args.open:
        _print(compared, differences)
    if args.html is not None or args.open:
        from pipeline.runs import report

        name = f"{folders[0].name}..{folders[1].name}.html"
        path = Path(args.html).resolve() if args.html else run_dir.comparisons(config) / name
        reports = [folder / run_dir.REPORT_FILE for folder in folders]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with messages.waiting("writing the page"):
                comparison_page.write(differences, compared, reports, path, [report.index_page(config)])
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None
        if not args.html:
            report.make_index(config)
        if not args.json:
            print(short(str(path)))
        if args.open:
            webbrowser.open(path.as_uri())
    else:
        steps = [(command_line(config, "compare", *args.runs, "--open"), "the same as a page, with the images")]
        second = run_dir.beginning(folders[1].name, run_dir.run_ids(config))
        messages.next([*steps, (command_line(config, "show", second), "the second run")])
    return 0


def _compared_run(store: mlmd.MetadataStore, folder: Path) -> ComparedRun:
    stages = metadata.stages(store, folder.name)
    artifacts = {key: metadata.latest_complete(stages, *where) for key, where in READ.items()}
    examples = artifacts["examples"]
    config = flatten(run_dir.read_config(folder))
    return ComparedRun(
        result=results.read(folder / run_dir.RESULT_FILE),
        config={key: value for key, value in config.items() if key != "run_dir"},
        code={name: code for name, stage in stages.items() if (code := _code(store, stage))},
        fingerprint=str(metadata.property_value(examples, "input_fingerprint") or "") if examples else "",
        artifacts={key: artifact.uri for key, artifact in artifacts.items() if artifact},
    )


def _code(store: mlmd.MetadataStore, stage: metadata.Stage) -> str | None:
    """Return the fingerprint of the code that made the stage's outputs; None where it is not known.

    A partial run records none for the stages before its first: their outputs are those of the run that made them.
    """
    resolves = stage.execution.type.endswith(".Resolver")  # it makes nothing: its outputs are another stage's
    output_ids = [] if resolves else [artifact.id for artifacts in stage.outputs.values() for artifact in artifacts]
    events = metadata.events_of_artifacts(store, output_ids) if output_ids else []
    makers = sorted({event.execution_id for event in events if event.is_output})
    executions = [stage.execution, *(store.get_executions_by_id(makers) if makers else [])]
    codes = (metadata.property_value(execution, "code_fingerprint") for execution in executions)
    return next((str(code) for code in codes if code is not None), None)


def _print(compared: Sequence[ComparedRun], differences: dict[str, Any]) -> None:
    sheet = _Sheet()
    seconds = (f"{seconds:,.1f} s" for seconds in differences["seconds"])
    run_ids = differences["runs"]
    if tables.room(sys.stdout) < _ROOMY:
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
    sheet.print(sys.stdout)


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
        for row in data["classes"][:ROWS]
    ]
    moved = [row for row in data["statistics"] if row["moved"] is None or abs(row["moved"]) >= data["moved_by"]]
    for row in moved[:ROWS]:
        by = "is constant" if row["moved"] is None else f"{row['moved']:+.2f} standard deviations"
        rows.append((f"{row['name']} in {row['split']}", f"{row['a']:.4g}", f"{row['b']:.4g}", by))
    sheet.table(rows)
    remaining = max(0, len(data["classes"]) - ROWS) + max(0, len(moved) - ROWS)
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
    for row in changed[:ROWS]:
        points = f"{row['difference'] * 100:+.2f} points"
        rows.append(
            (
                f"recall of {printable(row['name'], 40)!r}",
                *(METRICS["accuracy"].words(row[key]) for key in "ab"),
                points,
            )
        )
    sheet.table(rows)
    if len(changed) > ROWS:
        sheet.say("", f"and {len(changed) - ROWS} more classes; --json has all")
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
    more = f" and {len(names) - ROWS} more" if len(names) > ROWS else ""
    return ", ".join(repr(printable(name, 40)) for name in names[:ROWS]) + more


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
