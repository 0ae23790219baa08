"""`doctor`, `gc`, `rollback` and `schema`."""

from __future__ import annotations

import argparse
from typing import Any

from components.errors import UserError
from pipeline.commands.options import add_config, load_config


def add(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="check the environment and the run directory")
    add_config(doctor)
    doctor.add_argument("--fix", action="store_true", help="clean what is safe to clean")
    doctor.set_defaults(command=_doctor)

    gc = commands.add_parser("gc", help="remove what the newest runs and the served versions do not need")
    gc.add_argument("--keep", type=int, default=10, metavar="N", help="runs of each data set to keep (default 10)")
    gc.add_argument("--dry-run", action="store_true", help="only print what would be removed")
    add_config(gc, data=False)
    gc.set_defaults(command=_gc)

    rollback = commands.add_parser("rollback", help="put an earlier pushed version back in front")
    what = "as 3 or NAME/3; the one before what is served now if not given"
    rollback.add_argument("version", nargs="?", metavar="VERSION", help=what)
    add_config(rollback, data=False)
    rollback.set_defaults(command=_rollback)

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


def _gc(args: argparse.Namespace) -> int:
    from pipeline import retention

    if args.keep < 1:
        raise UserError(f"--keep {args.keep}: the newest run of each data set is always kept; write 1 or more")
    config, _ = load_config(args)
    return retention.run(config, args.keep, args.dry_run)


def _rollback(args: argparse.Namespace) -> int:
    from pipeline import rollback

    config, _ = load_config(args)
    return rollback.run(config, args.version)


def _freeze(args: argparse.Namespace) -> int:
    from pipeline import schemas

    config, _ = load_config(args)
    return schemas.freeze(config, args.output, args.force)
