"""`vertex run-local`: run a compiled spec on this machine."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.messages import Messages
from pipeline.cli.options import add_config, add_improvements
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import add_spec, settled

if TYPE_CHECKING:
    from pipeline.config import Config

FOLDER = "vertex-local"  # in the run directory
_CODES = (
    ("0", "every stage is done, and the gates passed"),
    ("1", "a stage failed; its line and its log are named"),
    ("2", "a mistake in the command or the configuration"),
    ("3", "refused by a gate: nothing was pushed"),
    ("130", "interrupted"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = (
        ("--preset digits --param epochs=2", "compile and run it"),
        ("--config cloud.yaml", "with the settings of the cloud"),
    )
    describe(parser, "Run the spec here: a process for each container, a folder for the bucket.", examples, _CODES)
    add_config(parser)
    add_improvements(parser)
    add_spec(parser)


def command(config: Config, args: argparse.Namespace) -> int:
    """Run the spec, and print where what it made lies."""
    folder = Path(config.run_dir, FOLDER)
    given = dict(args.parameters)
    data = os.path.expanduser(given.get("data", ""))
    local = {"data": os.path.realpath(data)} if os.path.exists(data) else {}  # here a path of this machine can be read
    config = settled(config, args, submitted=False)
    with Messages.of(args).waiting():
        from pipeline.platforms.vertex import compile, parameters, spec_file
        from pipeline.platforms.vertex.local_run import run as local_run

        values = parameters.values(config, [pair for pair in args.parameters if pair[0] not in local])
        job = spec_file.read(args.spec) if args.spec else compile.spec(config)
    ended = local_run.run(job, folder, values | local)
    local_run.show(ended, sys.stdout)
    return ended.exit_code
