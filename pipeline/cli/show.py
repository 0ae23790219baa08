"""`show`: one run, its stages and its last lines."""

from __future__ import annotations

import argparse
import json
import sys

from components.text import printable
from pipeline.cli import summary
from pipeline.cli.options import A_RUN, add_config
from pipeline.config import Config
from pipeline.runs import result as results
from pipeline.runs import run_dir


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("run", nargs="?", metavar="RUN", help=A_RUN)
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")
    add_config(parser, data=False)


def command(config: Config, args: argparse.Namespace) -> int:
    """Print the stages and the last lines of a run, as the run printed them."""
    result = results.read(run_dir.find_run(config, args.run) / run_dir.RESULT_FILE)
    if args.json:
        print(json.dumps(result.to_json(), indent=2))
        return 0
    print(f"run       {result.run_id} of {result.name}, data {printable(result.source)}")
    for stage, report in result.stages.items():
        print(f"  {stage:<17} {report['state']:<8} {report['seconds']:6.1f} s")
    summary.show(result, sys.stdout)
    return 0
