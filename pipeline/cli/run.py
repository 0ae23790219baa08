"""`run`: run the pipeline on this machine."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, TextIO

from components.errors import UserError
from pipeline import ALL_STAGES
from pipeline.cli.messages import Messages
from pipeline.cli.options import RUN_CODES, add_config, add_improvements, add_quiet, load_config
from pipeline.cli.parser import describe, stage

if TYPE_CHECKING:
    from pipeline.config import Config


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
    if args.first and args.last and ALL_STAGES.index(args.first) > ALL_STAGES.index(args.last):
        raise UserError(f"--from {args.first} comes after --to {args.last} in the chain")
    from components.contracts.run_result import ExitCode
    from pipeline.cli import next_steps, summary
    from pipeline.platforms.local import runner

    answer = sys.stderr if args.json else sys.stdout
    with open(os.devnull, "w") if args.quiet else contextlib.nullcontext(answer) as screen:
        notes = None
        if args.choice.fetch:
            notes = _fetch(config, screen)
            config, args.origins, args.choice = load_config(args)
        if args.choice.reason:
            print(f"preset    {args.choice.preset}: {args.choice.reason}", file=screen, flush=True)
        result = runner.run(config, args.first, args.last, screen, notes, args.verbose)
    with contextlib.suppress(*[OSError] if result.exit_code == ExitCode.HUNG_UP else []):  # the terminal is gone
        summary.show(result, answer, args.quiet)
        Messages.of(args).next(next_steps.after_run(result, config, args.words), answer)
        if args.json:
            print(json.dumps(result.to_json()))
    return result.exit_code


def _fetch(config: Config, out: TextIO) -> list[str]:
    """Download the data, which can be looked at then; return what the user should know of it."""
    from components.example_gen import sources
    from pipeline.output import duplicated_stream, redirect_output
    from pipeline.platforms.local import signals
    from pipeline.platforms.stage_table import StageTable

    source = sources.locate(config.data.source, config.data.cache_dir)
    with (
        signals.raised(),
        duplicated_stream(out) as terminal,
        StageTable((), terminal) as screen,
        redirect_output(os.devnull),
    ):
        return sources.fetch(source, partial(screen.transfer, f"downloading {source.pattern}"))
