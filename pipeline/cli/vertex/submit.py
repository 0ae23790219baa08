"""`vertex submit`: send the pipeline and follow it."""

from __future__ import annotations

import argparse
import re
from typing import Any

from pipeline.cli.options import add_config, add_improvements
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import EXIT_CODES, SET, add_spec, add_wait, on_google_cloud, settled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = ((SET, "submit and follow it"), (f"{SET} --no-wait", "submit it alone"))
    describe(parser, "Run preflight checks, submit the job and follow its status.", examples, EXIT_CODES)
    add_config(parser)
    add_improvements(parser)
    add_spec(parser)
    parser.add_argument("--job-id", metavar="ID", type=_job_id, help="name of the job, which is never started twice")
    add_wait(parser)


@on_google_cloud
def command(config: Any, args: argparse.Namespace) -> int:
    """Send the job, and follow it unless `--no-wait` is given."""
    config = settled(config, args)
    from pipeline.platforms.vertex import submit

    return submit.run(config, args.spec, args.parameters, args.job_id, args.wait)


def _job_id(text: str) -> str:
    if not re.fullmatch(r"[a-z][-a-z0-9]{0,127}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: small letters, digits and -, a letter first, at most 128")
    return text
