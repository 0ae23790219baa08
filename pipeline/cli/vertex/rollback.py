"""`vertex rollback`: send all traffic to the version before."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.options import add_config
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import SERVING_CODES, SET, on_google_cloud


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = (
        (SET, "drop the candidate; without one, serve the former champion again"),
        (f"3 {SET}", "serve version 3 of the Model Registry"),
    )
    describe(parser, "Send all traffic of the endpoint to the version before.", examples, SERVING_CODES)
    parser.add_argument("version", nargs="?", metavar="VERSION", help="number of a version in the Model Registry")
    add_config(parser, data=False)


@on_google_cloud
def command(config: Any, args: argparse.Namespace) -> int:
    """Have the version before serve."""
    from pipeline.platforms.vertex import traffic

    return traffic.rollback(config, args.version)
