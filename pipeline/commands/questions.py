"""What was run, and what came of it: `runs`, `show`, `report`, `compare`, `lineage`, `card` and `board`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.commands.options import add_config, load_config

A_RUN = "its id, or the beginning of it; the latest if not given"


def add(commands: Any) -> None:
    runs = commands.add_parser("runs", help="list the runs of a run directory")
    add_config(runs, data=False)
    runs.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="filters",
        help="only runs whose name, data, preset, ended, blessed or pushed is VALUE (yes, no, * matches anything); "
        "KEY alone means yes; repeatable",
    )
    runs.add_argument("--sort", choices=("when", "accuracy", "time"), default="when", help="the largest first")
    runs.add_argument("--json", action="store_true", help="print a JSON array")
    runs.set_defaults(command=_runs)

    show = commands.add_parser("show", help="what came of a run")
    show.add_argument("run", nargs="?", metavar="RUN", help=A_RUN)
    show.add_argument("--json", action="store_true", help="print it as one JSON object")
    add_config(show, data=False)
    show.set_defaults(command=_show)

    report = commands.add_parser("report", help="print the path of the report of a run")
    report.add_argument("run", nargs="?", metavar="RUN", help=A_RUN)
    report.add_argument("--open", action="store_true", help="open it in the browser")
    report.add_argument("--rebuild", action="store_true", help="make it anew from the artifacts")
    add_config(report, data=False)
    report.set_defaults(command=_report)

    compare = commands.add_parser("compare", help="what differs between two runs, and by how much")
    compare.add_argument("runs", nargs=2, metavar="RUN", help="its id, or the beginning of it")
    compare.add_argument("--json", action="store_true", help="print it as one JSON object")
    compare.add_argument(
        "--html",
        nargs="?",
        const="",
        metavar="FILE",
        help="write a page (default: in the run directory), print its path",
    )
    compare.add_argument("--open", action="store_true", help="write the page and open it in the browser")
    add_config(compare, data=False)
    compare.set_defaults(command=_compare)

    lineage = commands.add_parser("lineage", help="where a served model comes from, and what came of any artifact")
    what = "a pushed version as 3 or NAME/3, a run, an artifact as #12, or data as a path or sha256:…"
    lineage.add_argument("what", nargs="?", metavar="WHAT", help=f"{what}; the model pushed last if not given")
    lineage.add_argument("--why", action="store_true", help="why the version, or the model of the run, was blessed")
    lineage.add_argument("--json", action="store_true", help="print it as one JSON object")
    add_config(lineage, data=False)
    lineage.set_defaults(command=_lineage)

    card = commands.add_parser("card", help="the card of a pushed model: its use, data, metrics, limits and lineage")
    card.add_argument("version", nargs="?", metavar="VERSION", help="as 3 or NAME/3; the one pushed last if not given")
    card.add_argument("--open", action="store_true", help="open it in the browser")
    add_config(card, data=False)
    card.set_defaults(command=_card)

    board = commands.add_parser("board", help="TensorBoard over the training logs of all runs")
    board.add_argument("--port", type=int, help="default: 6006, or the next free one")
    add_config(board, data=False)
    board.set_defaults(command=_board)


def _runs(args: argparse.Namespace) -> int:
    from pipeline import history

    config, _ = load_config(args)
    return history.show(config, args.filters, args.sort, args.json)


def _show(args: argparse.Namespace) -> int:
    from pipeline import history

    config, _ = load_config(args)
    return history.show_one(config, args.run, args.json)


def _report(args: argparse.Namespace) -> int:
    from pipeline import report

    config, _ = load_config(args)
    return report.show(config, args.run, args.rebuild, args.open)


def _compare(args: argparse.Namespace) -> int:
    from pipeline import compare

    config, _ = load_config(args)
    return compare.show(config, args.runs, args.json, args.html, args.open)


def _lineage(args: argparse.Namespace) -> int:
    from pipeline import trace

    config, _ = load_config(args)
    return (trace.why if args.why else trace.show)(config, args.what, args.json)


def _card(args: argparse.Namespace) -> int:
    from pipeline import card

    config, _ = load_config(args)
    return card.show(config, args.version, args.open)


def _board(args: argparse.Namespace) -> int:
    from pipeline import board

    config, _ = load_config(args)
    return board.show(config, args.port)
