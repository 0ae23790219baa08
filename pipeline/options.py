"""The options of the command line that make up a configuration. Imports nothing heavy."""

from __future__ import annotations

import argparse
import json


def add_config(command: argparse.ArgumentParser, data: bool = True) -> None:
    """The options that make up a configuration; `data` where the command is about other data than the preset's."""
    if data:
        command.add_argument(
            "--data", metavar="SOURCE", help="digits, cifar10, or the path of a folder, archive or TFRecords"
        )
    else:
        command.set_defaults(data=None)
    command.add_argument("--preset", metavar="NAME", help="digits, cifar10 or folder; by default the one for the data")
    command.add_argument("--config", metavar="FILE", help="a YAML file over the preset")
    command.add_argument(
        "--set", dest="settings", metavar="A.B=C", action="append", default=[], help="over both; repeatable"
    )
    command.add_argument("--run-dir", metavar="DIR", help="where all state lives (default: output)")


def load(args: argparse.Namespace):  # type: ignore[no-untyped-def]  # a heavier import than --help needs
    """(Config, origins) of the arguments, a command-line option being a setting like any other.

    Raises:
      UserError: config.load refuses it.
    """
    from pipeline import config

    settings = list(args.settings)
    for key, value in (("data.source", args.data), ("run_dir", args.run_dir)):
        if value is not None:
            settings.append(f"{key}={json.dumps(value)}")
    return config.load(args.preset, args.config, tuple(settings))
