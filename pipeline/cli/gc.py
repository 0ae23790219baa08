"""`gc`: remove what neither the newest runs nor the served versions need."""

from __future__ import annotations

import argparse

from components.errors import UserError
from pipeline.cli.options import CODES, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("--dry-run", "list what would be removed"), ("--keep 3", "keep the 3 newest runs of each data set"))
    describe(parser, "Remove what neither the newest runs nor the served versions need.", examples, CODES)
    parser.add_argument("--keep", type=int, default=10, metavar="N", help="runs of each data set to keep (default 10)")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be removed")
    add_store(parser)


def command(config: Config, args: argparse.Namespace) -> int:
    """Remove what is not needed, and print it."""
    from pipeline.runs import retention

    if args.keep < 1:
        raise UserError(f"--keep {args.keep}: the newest run of each data set is always kept; write 1 or more")
    return retention.run(config, args.keep, args.dry_run)
