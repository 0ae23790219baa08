"""`run`: run the pipeline on this machine."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

from pipeline import ALL_STAGES
from pipeline.cli.messages import Messages
from pipeline.cli.options import RUN_CODES, add_config, add_improvements, add_quiet, load_config
from pipeline.cli.parser import describe, stage

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.first_look import Choice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("~/photos", "train on a folder of images"), ("--to DataGate", "validate the data only"))
    describe(parser, "Run the pipeline: check images, train, evaluate and push a model.", examples, RUN_CODES)
    parser.add_argument("path", nargs="?", metavar="PATH", help="the images; the same as --data PATH")
    add_config(parser)
    parser.add_argument(
        "--from", dest="first", metavar="STAGE", type=stage, help="the first stage to run; earlier ones are reused"
    )
    parser.add_argument(
        "--to", dest="last", metavar="STAGE", type=stage, help=f"the last stage to run: {', '.join(ALL_STAGES)}"
    )
    add_improvements(parser)
    parser.add_argument(
        "--json", action="store_true", help="print the result as one JSON object, last on standard output"
    )
    add_quiet(parser, "the result", "what the libraries write to the log")


def command(config: Config, args: argparse.Namespace) -> int:
    """Run the pipeline and print how it ended."""
    from components.contracts.run_result import ExitCode
    from pipeline.cli import next_steps
    from pipeline.platforms.local.start import start
    from pipeline.runs import summary

    loaded = [(config, args.choice)]  # by every command that takes settings

    def load() -> tuple[Config, Choice]:
        if loaded:
            return loaded.pop()
        config, _, choice = load_config(args)
        return config, choice

    answer = sys.stderr if args.json else sys.stdout
    with open(os.devnull, "w") if args.quiet else contextlib.nullcontext(answer) as screen:
        config, result = start(load, args.first, args.last, screen, args.verbose)
    with contextlib.suppress(*[OSError] if result.exit_code == ExitCode.HUNG_UP else []):  # the terminal is gone
        summary.show(result, answer, args.quiet)
        Messages.of(args).next(next_steps.after_run(result, config, args.words), answer)
        if args.json:
            print(json.dumps(result.to_json()))
    return result.exit_code
