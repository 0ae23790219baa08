"""`config`: the configuration and where each value comes from."""

from __future__ import annotations

import argparse
import json

from pipeline.cli.options import CODES, add_config
from pipeline.cli.parser import describe
from pipeline.config import Config, flatten
from pipeline.tables import print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("--data ~/photos", "every value for a data set"), ("--explain trainer.epochs", "what a key means"))
    describe(parser, "Print the configuration and where each value comes from.", examples, CODES)
    add_config(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--explain", metavar="KEY", help="print what a key, or each key of a section, means")
    form.add_argument("--json", action="store_true", help="print it as one JSON object")


def command(config: Config, args: argparse.Namespace) -> int:
    """Print every key with its value and origin."""
    from pipeline import curated_schema

    origins, values = args.origins, flatten(config.model_dump(mode="json"))
    if config.schema_file is None:
        origins["schema_file"] += f": {curated_schema.describe(config)}"
    if args.explain:
        from pipeline.config_reference import explain

        print(explain(args.explain, values, origins))
        return 0
    if args.json:
        print(json.dumps({key: {"value": value, "origin": origins[key]} for key, value in values.items()}, indent=2))
        return 0
    print_table(((f"{key}:", json.dumps(value), f"# {origins[key]}") for key, value in values.items()), indent=0)
    return 0
