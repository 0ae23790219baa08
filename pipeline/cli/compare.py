"""`compare RUN RUN`: two runs side by side, as text, JSON or a page."""

from __future__ import annotations

import argparse
import json
import webbrowser
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import ml_metadata as mlmd
from rich.console import Console

from components.errors import UserError
from components.names import printable
from components.report import comparison_page
from components.report.comparison import Side, compare
from components.report.page import verdict
from pipeline.cli.options import add_config, load_config
from pipeline.config import Config, flatten
from pipeline.output import short
from pipeline.runs import run_dir
from pipeline.runs.result import Result
from pipeline.tracking import graph, metadata

READ = {
    "examples": ("ExampleGen", "examples"),
    "statistics": ("StatisticsGen", "statistics"),
    "predictions": ("ServingCheck", "predictions"),
}
ROWS = 10  # of statistics and classes in the text; the page has all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("runs", nargs=2, metavar="RUN", help="its id, or the beginning of it")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")
    parser.add_argument(
        "--html",
        nargs="?",
        const="",
        metavar="FILE",
        help="write a page (default: in the run directory), print its path",
    )
    parser.add_argument("--open", action="store_true", help="write the page and open it in the browser")
    add_config(parser, data=False)


def command(args: argparse.Namespace) -> int:
    """Compare the two runs."""
    config, _ = load_config(args)
    return show(config, args.runs, args.json, args.html, args.open)


def show(config: Config, runs: Sequence[str], as_json: bool, html: str | None, open_it: bool) -> int:
    """Compare two runs.

    Args:
      html: write the page to this file; "" is a file in the run directory, None writes none.
      open_it: write the page, and open it in the browser.
    """
    folders = [run_dir.find_run(config, run) for run in runs]
    store = metadata.known_store(config)
    sides = [_side(store, folder) for folder in folders]
    found = compare(sides[0], sides[1])
    if as_json:
        print(json.dumps(found, indent=2))
    elif html is None and not open_it:
        _print(sides, found)
    if html is not None or open_it:
        name = f"{folders[0].name}..{folders[1].name}.html"
        path = Path(html).resolve() if html else run_dir.comparisons(config) / name
        reports = [folder / run_dir.REPORT_FILE for folder in folders]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            comparison_page.write(found, sides, reports, path)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None
        if not html:
            from pipeline.runs import report

            report.make_index(config)
        if not as_json:
            print(short(str(path)))
        if open_it:
            webbrowser.open(path.as_uri())
    return 0


def _side(store: mlmd.MetadataStore, folder: Path) -> Side:
    run = metadata.find_run(store, folder.name)
    stages = metadata.stages(store, run) if run else {}
    artifacts = {key: metadata.made(stages, *where) for key, where in READ.items()}
    examples = artifacts["examples"]
    config = flatten(run_dir.read_config(folder))
    return Side(
        result=Result.read(folder / run_dir.RESULT_FILE).to_json(),
        config={key: value for key, value in config.items() if key != "run_dir"},
        code={name: code for name, stage in stages.items() if (code := _code(store, stage))},
        fingerprint=str(metadata.property_value(examples, "input_fingerprint") or "") if examples else "",
        artifacts={key: one.uri for key, one in artifacts.items() if one},
    )


def _code(store: mlmd.MetadataStore, stage: metadata.Stage) -> str | None:
    """The fingerprint of the code that made what the stage put out; None where it is not known.

    A partial run notes none of the stages before its first: their outputs are those of the run that made them.
    """
    finds = stage.execution.type.endswith(".Resolver")  # it makes nothing: what it found is another's
    made = [] if finds else [artifact.id for artifacts in stage.outputs.values() for artifact in artifacts]
    makers = sorted({use.execution_id for use in graph.users(store, made) if use.made}) if made else []
    executions = [stage.execution, *(store.get_executions_by_id(makers) if makers else [])]
    found = (metadata.property_value(execution, "code_fingerprint") for execution in executions)
    return next((str(code) for code in found if code is not None), None)


def _print(sides: Sequence[Side], found: dict[str, Any]) -> None:
    _table(
        [("", *found["runs"]), ("", *map(_head, sides)), ("", *(f"{seconds:,.1f} s" for seconds in found["seconds"]))]
    )
    _section(
        "config",
        [(one["key"], comparison_page.value(one["a"]), comparison_page.value(one["b"])) for one in found["config"]],
        "the same",
    )
    if found["libraries"]:
        _section(
            "libraries",
            [
                (one["key"], comparison_page.value(one["a"]), comparison_page.value(one["b"]))
                for one in found["libraries"]
            ],
            "",
        )
    _say("code", f"of {', '.join(found['code'])} differs" if found["code"] else "the same")
    if found["data"]:
        _print_data(found["data"])
    if found["metrics"]:
        _print_metrics(found["metrics"])
    if found["cannot"]:
        print("cannot be compared")
        for line in found["cannot"]:
            _say("", line)


def _head(side: Side) -> str:
    result = side.result
    ended = f"pushed as version {result['pushed']['version']}" if result["pushed"] else verdict(result)["badge"]
    return f"{result['name']}, {ended}"


def _print_data(data: dict[str, Any]) -> None:
    same = {"artifact": "the same, byte for byte", "content": "the same files, split otherwise", None: "differs"}
    _say("data", same[data["same"]])
    if data["same"] == "artifact":
        return
    for key, word in (("only_a", "first"), ("only_b", "second")):
        if data[key]:
            _say("", f"classes of the {word} alone: {_names(data[key])}")
    rows: list[Sequence[str]] = [(one["of"], f"{one['a']:,}", f"{one['b']:,}", _signed(one)) for one in data["counts"]]
    rows += [
        (f"{one['split']} of {printable(one['name'], 40)!r}", f"{one['a']:,}", f"{one['b']:,}", _signed(one))
        for one in data["classes"][:ROWS]
    ]
    moved = [one for one in data["statistics"] if one["moved"] is None or abs(one["moved"]) >= data["moved_by"]]
    for one in moved[:ROWS]:
        by = "is constant" if one["moved"] is None else f"{one['moved']:+.2f} deviations"
        rows.append((f"{one['name']} in {one['split']}", f"{one['a']:.4g}", f"{one['b']:.4g}", by))
    _table(rows)
    left = max(0, len(data["classes"]) - ROWS) + max(0, len(moved) - ROWS)
    if left:
        _say("", f"and {left} more; --json has all")
    if data["statistics"] and not moved:
        _say("", f"no statistic of the pictures moved by more than {data['moved_by']} standard deviations")


def _print_metrics(metrics: dict[str, Any]) -> None:
    pictures = metrics["pictures"]
    both = metrics["both"]
    on = f"{pictures[0]:,} and {pictures[1]:,} test pictures"
    if both["pictures"] == "same":
        on = f"the same {pictures[0]:,} test pictures"
    _say("metrics", f"on {on}, intervals at {metrics['confidence']:.0%}")
    rows = [
        (one["name"].replace("_", " "), *(_estimate(one, key) for key in "ab"), comparison_page.change(one))
        for one in metrics["rows"]
    ]
    changed = [one for one in metrics["classes"] if one["difference"]]
    for one in changed[:ROWS]:
        points = f"{one['difference'] * 100:+.2f} points"
        rows.append((f"recall of {printable(one['name'], 40)!r}", *(_share(one[key]) for key in "ab"), points))
    _table(rows)
    if len(changed) > ROWS:
        _say("", f"and {len(changed) - ROWS} more classes; --json has all")
    if metrics["accuracy_interval"]:
        ends = metrics["accuracy_interval"]
        low, high = (f"{ends[key] * 100:+.2f}" for key in ("low", "high"))
        _say("", f"The accuracy changed by between {low} and {high} points ({ends['method']})")
    if both["shared"]:
        _say("", comparison_page.in_words(both, 1 - metrics["confidence"]))


def _estimate(row: dict[str, Any], key: str) -> str:
    one = row[key]
    if row["name"].endswith("accuracy"):
        return _share(one)
    if "low" not in one:
        return f"{one['value']:.2%}"
    return f"{one['value']:.4f} ({one['low']:.4f} to {one['high']:.4f})"


def _share(one: dict[str, float]) -> str:
    return f"{one['value']:.2%} ({one['low']:.2%} to {one['high']:.2%})"


def _signed(one: dict[str, Any]) -> str:
    return f"{one['b'] - one['a']:+,}" if one["b"] != one["a"] else ""


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - ROWS} more" if len(names) > ROWS else ""
    return ", ".join(repr(printable(name, 40)) for name in names[:ROWS]) + more


def _section(title: str, rows: Sequence[Sequence[str]], otherwise: str) -> None:
    _say(title, "" if rows else otherwise)
    _table(rows)


def _say(title: str, text: str) -> None:
    Console(highlight=False, soft_wrap=True).print(f"{title:<9} {text}".rstrip(), markup=False)


def _table(rows: Iterable[Sequence[str]]) -> None:
    """Four columns of one width in all tables, so that the two runs stay where they are."""
    for name, a, b, *more in rows:
        print(f"  {name:<28} {a:<30} {b:<30} {''.join(more)}".rstrip())
