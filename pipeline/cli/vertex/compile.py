"""`vertex compile`: write the spec of the pipeline."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.messages import Messages
from pipeline.cli.options import CODES, add_config, add_improvements
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import require_preset

if TYPE_CHECKING:
    from pipeline.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = (
        ("--preset cifar10", "write pipeline.json"),
        ("--preset photos --data gs://BUCKET/PATH", "for images of yours"),
    )
    describe(parser, "Write the spec of the pipeline; needs no network and no account.", examples, CODES)
    add_config(parser)
    add_improvements(parser)
    parser.add_argument("--output", metavar="FILE", default="pipeline.json", help="default: pipeline.json")


def command(config: Config, args: argparse.Namespace) -> int:
    """Compile the pipeline and write its spec."""
    require_preset(config, args)
    from pipeline.platforms.vertex import compile

    Messages.of(args).say("loading TFX")
    compile.run(config, Path(args.output))
    return 0
