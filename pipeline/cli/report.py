"""`report`: the path of the report of a run."""

from __future__ import annotations

import argparse
import webbrowser

from pipeline.cli.messages import Messages, command_line
from pipeline.cli.options import A_RUN, CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.output import short
from pipeline.runs import report, run_dir


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (
        ("--open", "that of the latest run"),
        ("20261126-03 --rebuild", "write the report of a run again"),
    )
    describe(parser, "Print the path of the report of a run.", examples, CODES)
    parser.add_argument("run", nargs="?", metavar="RUN", help=A_RUN)
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument("--rebuild", action="store_true", help="write it again from the artifacts")
    add_quiet(parser, "the path", "what the libraries print")
    add_store(parser)


def command(config: Config, args: argparse.Namespace) -> int:
    """Print the path of a run's report, and write it if there is none; the latest run if none is named."""
    messages = Messages.of(args)
    folder = run_dir.find_run(config, args.run)
    path = folder / run_dir.REPORT_FILE
    if args.rebuild or not path.exists():
        config_of_run = report.of_run(config, folder)
        with messages.waiting("writing the report"):
            report.make(config_of_run, folder.name)
    print(short(str(path)))
    if args.open:
        webbrowser.open(path.as_uri())
    else:
        words = [args.run] if args.run else []
        steps = [(command_line(config, "report", *words, "--open"), "open it in the browser")]
        messages.next([*steps, (command_line(config, "runs"), "all runs")])
    return 0
