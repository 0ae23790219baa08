"""`compare RUN RUN`: two runs side by side, as text, JSON or a page."""

from __future__ import annotations

import argparse
import json
import sys
import webbrowser
from pathlib import Path

from components.report.comparison import compare
from pipeline.cli.messages import Messages, command_line
from pipeline.cli.options import CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.output import short
from pipeline.runs import comparison, comparison_text, run_dir
from pipeline.tracking import metadata


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
    compared = [comparison.collect(store, folder) for folder in folders]
    differences = compare(compared[0], compared[1])
    if args.json:
        print(json.dumps(differences, indent=2))
    elif args.html is None and not args.open:
        comparison_text.show(compared, differences, sys.stdout)
    if args.html is not None or args.open:
        chosen = Path(args.html).resolve() if args.html else None
        with messages.waiting("writing the page"):
            path = comparison.write_page(config, folders, compared, differences, chosen)
        if not args.json:
            print(short(str(path)))
        if args.open:
            webbrowser.open(path.as_uri())
    else:
        steps = [(command_line(config, "compare", *args.runs, "--open"), "the same as a page, with the images")]
        second = run_dir.beginning(folders[1].name, run_dir.run_ids(config))
        messages.next([*steps, (command_line(config, "show", second), "the second run")])
    return 0
