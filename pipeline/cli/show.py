"""`show`: one run, its stages and its last lines."""

from __future__ import annotations

import argparse
import json
import sys

from components.text import printable
from pipeline.cli.messages import Messages, command_line
from pipeline.cli.options import A_RUN, CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.runs import result as results
from pipeline.runs import run_dir, summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("", "the latest run"), ("20261126-03 --json", "a run by the beginning of its id, for a script"))
    describe(parser, "Print the stages and the result of a run.", examples, CODES)
    parser.add_argument("run", nargs="?", metavar="RUN", help=A_RUN)
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")
    add_quiet(parser, "the run")
    add_store(parser)


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
    run = run_dir.beginning(result.run_id, run_dir.run_ids(config))
    why = [(command_line(config, "lineage", run, "--why"), "what each gate needs and what was measured")]
    steps = [(command_line(config, "report", run, "--open"), "its report in the browser")]
    Messages.of(args).next([*steps, *(why if result.metrics else [])])
    return 0
