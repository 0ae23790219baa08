"""`report`: the path of the report of a run."""

from __future__ import annotations

import argparse
import os
import webbrowser

from pipeline.cli.options import A_RUN, add_config
from pipeline.config import Config
from pipeline.output import redirect_output, short
from pipeline.runs import report, run_dir


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("run", nargs="?", metavar="RUN", help=A_RUN)
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument("--rebuild", action="store_true", help="write it again from the artifacts")
    add_config(parser, data=False)


def command(config: Config, args: argparse.Namespace) -> int:
    """Print the path of a run's report, and write it if there is none; the latest run if none is named."""
    folder = run_dir.find_run(config, args.run)
    path = folder / run_dir.REPORT_FILE
    if args.rebuild or not path.exists():
        with redirect_output(os.devnull):
            report.make(report.of_run(config, folder), folder.name)
    print(short(str(path)))
    if args.open:
        webbrowser.open(path.as_uri())
    return 0
