"""`vertex endpoint`: show which versions of the model serve."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.options import add_config
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import SERVING_CODES, SET, on_google_cloud


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = (
        (SET, "versions, traffic, aliases"),
        (f"--preset cifar10 {SET}", "of a preset"),
    )
    describe(parser, "Show which versions of the model serve.", examples, SERVING_CODES)
    add_config(parser, data=False)


@on_google_cloud
def command(config: Any, args: argparse.Namespace) -> int:
    """Show the endpoint and the versions in the Model Registry."""
    from pipeline.platforms.vertex import traffic

    return traffic.show(config)
