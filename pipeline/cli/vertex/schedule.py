"""`vertex schedule`: have Vertex AI start the pipeline at given times."""

from __future__ import annotations

import argparse
import re
import zoneinfo
from typing import Any

from pipeline.cli.messages import Messages
from pipeline.cli.options import add_config, add_improvements
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import EXIT_CODES, SET, add_spec, on_google_cloud, require_preset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = ((f"{SET} --cron '0 3 * * 1'", "every Monday at three"), (f"{SET} --delete", "delete the schedule"))
    describe(parser, "Have Vertex AI run the pipeline at given times.", examples, EXIT_CODES)
    add_config(parser)
    add_improvements(parser)
    add_spec(parser)
    when = parser.add_mutually_exclusive_group(required=True)
    cron_help = "minute hour day month weekday, in UTC or after TZ=Europe/Paris: '0 3 * * 1'"
    when.add_argument("--cron", type=_cron, metavar="CRON", help=cron_help)
    when.add_argument("--delete", action="store_true", help="delete the schedule of the pipeline")


@on_google_cloud
def command(config: Any, args: argparse.Namespace) -> int:
    """Make or delete the schedule."""
    if not (args.spec or args.delete):
        require_preset(config, args)
        Messages.of(args).say("loading TFX")
    from pipeline.platforms.vertex import schedule

    return schedule.delete(config) if args.delete else schedule.run(config, args.cron, args.spec, args.parameters)


def _cron(text: str) -> str:
    zone, fields = "", text.split()
    if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
        zone, *fields = fields
        zone = zone.partition("=")[2]
    if len(fields) != 5:
        raise argparse.ArgumentTypeError(f"{text!r} has {len(fields)} fields, not five: minute hour day month weekday")
    if not all(re.fullmatch(r"[A-Za-z0-9*,/-]+", field) for field in fields):
        raise argparse.ArgumentTypeError(f"{text!r}: a field is made of numbers, names and * , - /")
    if zone and zone not in zoneinfo.available_timezones():
        raise argparse.ArgumentTypeError(f"{zone!r} is no time zone; they are named as Europe/Paris")
    return text
