"""`doctor` and `schema`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.commands.options import add_config, load_config


def add(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="check the environment and the run directory")
    add_config(doctor)
    doctor.add_argument("--fix", action="store_true", help="clean what is safe to clean")
    doctor.set_defaults(command=_doctor)

    schema = commands.add_parser("schema", help="curated schemas")
    actions = schema.add_subparsers(required=True, metavar="ACTION")
    freeze = actions.add_parser(
        "freeze", help="write the schema of the latest run as schema/<name>/schema.pbtxt, to edit"
    )
    add_config(freeze)
    freeze.add_argument("--output", metavar="FILE", help="default: schema/<name>/schema.pbtxt")
    freeze.add_argument("--force", action="store_true", help="replace an existing file")
    freeze.set_defaults(command=_freeze)


def _doctor(args: argparse.Namespace) -> int:
    from pipeline import doctor

    config, _ = load_config(args)
    return doctor.run(config, args.fix)


def _freeze(args: argparse.Namespace) -> int:
    from pipeline import schemas

    config, _ = load_config(args)
    return schemas.freeze(config, args.output, args.force)
