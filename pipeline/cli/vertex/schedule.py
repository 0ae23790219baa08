"""`vertex schedule`: have Vertex AI start the pipeline at given times."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.options import add_config, add_improvements
from pipeline.cli.parser import describe
from pipeline.cli.vertex.cron import cron
from pipeline.cli.vertex.options import EXIT_CODES, SET, add_spec, on_google_cloud, settled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = ((f"{SET} --cron '0 3 * * 1'", "every Monday at three"), (f"{SET} --delete", "delete the schedule"))
    describe(parser, "Have Vertex AI run the pipeline at given times.", examples, EXIT_CODES)
    add_config(parser)
    add_improvements(parser)
    add_spec(parser)
    when = parser.add_mutually_exclusive_group(required=True)
    cron_help = "minute hour day month weekday, in UTC or after TZ=Europe/Paris: '0 3 * * 1'"
    when.add_argument("--cron", type=cron, metavar="CRON", help=cron_help)
    when.add_argument("--delete", action="store_true", help="delete the schedule of the pipeline")


@on_google_cloud
def command(config: Any, args: argparse.Namespace) -> int:
    """Make or delete the schedule."""
    if not args.delete:
        config = settled(config, args)
    from pipeline.platforms.vertex import schedule

    return schedule.delete(config) if args.delete else schedule.run(config, args.cron, args.spec, args.parameters)
