"""`vertex cancel`: stop a job and what its stages started."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.options import add_config
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import EXIT_CODES, SET, job, on_google_cloud


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = (
        (f"nightly-7 {SET}", "by its name"),
        (SET, "show those that run; none is stopped"),
    )
    describe(parser, "Stop a job, its training and its Dataflow jobs.", examples, EXIT_CODES)
    parser.add_argument(
        "job", nargs="?", metavar="JOB", type=job, help="name or resource name; without it, those that run are shown"
    )
    add_config(parser, data=False)


@on_google_cloud
def command(config: Any, args: argparse.Namespace) -> int:
    """Ask Google Cloud to stop the job."""
    from pipeline.platforms.vertex import cancel

    return cancel.run(config, args.job)
