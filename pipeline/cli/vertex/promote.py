"""`vertex promote`: send all traffic to the candidate."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.options import add_config
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import SERVING_CODES, SET, on_google_cloud


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = (
        (SET, "the candidate becomes the champion, the former one is undeployed"),
        (f"{SET} --keep", "the former one stays deployed, for a rollback within seconds"),
    )
    describe(parser, "Send all traffic of the endpoint to the candidate.", examples, SERVING_CODES)
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave the former champion deployed without traffic, whose machine is billed as before",
    )
    add_config(parser, data=False)


@on_google_cloud
def command(config: Any, args: argparse.Namespace) -> int:
    """Make the candidate the champion."""
    from pipeline.platforms.vertex import traffic

    return traffic.promote(config, args.keep)
