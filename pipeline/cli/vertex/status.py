"""`vertex status`: follow a job."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.options import add_config
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import EXIT_CODES, SET, add_wait, job, on_google_cloud


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = ((SET, "the latest job"), (f"nightly-7 {SET} --no-wait", "a job as it is now"))
    describe(parser, "Follow a job stage by stage until it ends.", examples, EXIT_CODES)
    parser.add_argument(
        "job", nargs="?", metavar="JOB", type=job, help="name or resource name of the job (default: the latest)"
    )
    add_config(parser, data=False)
    add_wait(parser)


@on_google_cloud
def command(config: Any, args: argparse.Namespace) -> int:
    """Show the job, and follow it unless `--no-wait` is given."""
    from pipeline.platforms.vertex import status

    return status.run(config, args.job, args.wait)
