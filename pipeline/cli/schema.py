"""`schema freeze`: the schema of the latest run as a curated one, to read, edit and review."""

from __future__ import annotations

import argparse
from pathlib import Path

from components import files
from components.contracts import counts, schema
from components.errors import UserError
from pipeline.cli.options import CODES, add_config
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.tracking import metadata

EXAMPLES = (("--data ~/photos", "of a data set of yours"), ("--force", "replace the file"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("freeze", "of the embedded digits"), ("freeze --data ~/photos", "of a data set of yours"))
    describe(parser, "Write curated schemas, which data is validated by.", examples, CODES)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    freeze = actions.add_parser(
        "freeze", help="write the schema of the latest run as schema/<name>/schema.pbtxt, to edit"
    )
    describe(freeze, "Write the schema of the latest run as a curated one.", EXAMPLES, CODES)
    add_config(freeze)
    freeze.add_argument("--output", metavar="FILE", help="default: schema/<name>/schema.pbtxt")
    freeze.add_argument("--force", action="store_true", help="replace an existing file")


def command(config: Config, args: argparse.Namespace) -> int:
    """Write the schema of the latest run of this data set.

    Raises:
      UserError: no run has made a schema yet; the file exists and --force is not given.
    """
    destination = Path(args.output) if args.output else Path("schema") / config.name / schema.SCHEMA_FILE
    for run, stages in metadata.own_runs(config):
        inferred = metadata.latest_live(stages, "SchemaGen", "schema")
        examples = metadata.latest_live(stages, "ExampleGen", "examples")
        if inferred and examples and files.exists(inferred.uri) and files.exists(examples.uri):
            from components.data_gate import freeze as data_gate_freeze

            curated = "ImportSchemaGen" in stages["SchemaGen"].execution.type
            names = counts.read(examples.uri).class_names
            data_gate_freeze.freeze(schema.path(inferred.uri), names, destination, args.force, curated)
            own = ", which validated by a curated schema: this is a copy of it" if curated else ""
            print(f"{destination} written from run {run.id}{own}")
            condition = f"with --set schema_file={destination}" if args.output else "when started in this folder"
            print(f"edit it; a run of '{config.name}' validates by it {condition}")
            return 0
    raise UserError(
        f"no run of '{config.name}' in {config.run_dir} has a schema yet; make one with `run --to SchemaGen`"
    )
