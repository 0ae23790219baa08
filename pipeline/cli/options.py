"""The options that the commands share."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from components.errors import UserError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.first_look import Choice

CODES = (("0", "done"), ("1", "a fault"), ("2", "a mistake of the user"), ("130", "interrupted"))
RUN_CODES = (
    ("0", "the model was pushed, or the stage that --to names is done"),
    ("1", "a fault"),
    ("2", "a mistake in the command, the configuration or the data"),
    ("3", "refused by a gate: nothing was pushed"),
    ("130", "interrupted (143: SIGTERM, 129: SIGHUP); the same command resumes"),
)
A_RUN = "run id, or its beginning (default: the latest run)"


def add_config(command: argparse.ArgumentParser, data: bool = True) -> None:
    """Add the options that decide the configuration of a run; `data` if the command reads images."""
    if data:
        command.add_argument(
            "--data", metavar="SOURCE", help="digits, cifar10, tfds:NAME, a path or a URL: docs/data.md lists all"
        )
    else:
        command.set_defaults(data=None)
    command.add_argument("--preset", metavar="NAME", help="as photos or small (default: the one for the data)")
    command.add_argument("--config", metavar="FILE", help="a YAML file that overrides the preset")
    _add_settings(command, "override one config value (repeatable)")
    add_run_dir(command)


def add_store(command: argparse.ArgumentParser, setting: str = "metadata.url=env:NAME") -> None:
    """Add the options of a command that reads a run directory; `setting` is an example of what else it heeds."""
    command.set_defaults(data=None)
    command.add_argument("--preset", help=argparse.SUPPRESS)  # as of `run`; it decides nothing here
    add_run_dir(command)
    command.add_argument("--config", metavar="FILE", help="a YAML file with config values")
    _add_settings(command, f"one config value, as {setting} (repeatable)")


def _add_settings(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--set", dest="settings", metavar="A.B=C", action="append", default=[], help=text)


def add_run_dir(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run-dir", metavar="DIR", help="directory of all state (default: output)")


def add_quiet(command: argparse.ArgumentParser, hidden: str, verbose: str = "") -> None:
    """Add -q, and -v if there is something that it shows.

    Args:
      command: the parser of the command.
      hidden: what -q prints nevertheless.
      verbose: what -v prints besides.
    """
    group = command.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", help=f"print {hidden} and errors alone")
    if verbose:
        group.add_argument("-v", "--verbose", action="store_true", help=f"print {verbose} too")


def add_improvements(command: argparse.ArgumentParser) -> None:
    """Add the options of the two optional stages."""
    command.add_argument("--warm-start", action="store_true", help="start from the weights of the latest blessed model")
    command.add_argument("--tune", type=int, metavar="N", help="tune hyperparameters first, in N trials")


def load_config(args: argparse.Namespace) -> tuple[Config, dict[str, str], Choice]:
    """Return (Config, origins, the choice of the preset); a command-line option is a setting like any other."""
    from pipeline import config

    settings = list(args.settings)
    path = getattr(args, "path", None)
    if path is not None and args.data is not None:
        raise UserError(f"both {path!r} and --data {args.data!r} name the data: give one of them")
    for key, value in (("data.source", path or args.data), ("run_dir", args.run_dir)):
        if value is not None:
            settings.append(f"{key}={json.dumps(value)}")
    if getattr(args, "warm_start", False):
        settings.append("warm_start=true")
    if getattr(args, "tune", None) is not None:
        settings.append(f"tuner.trials={args.tune}")
    choice = config.choose(args.preset, args.config, tuple(settings))
    loaded, origins = config.load(choice.preset, args.config, tuple(settings))
    if choice.reason:
        origins["preset"] = choice.reason
    return loaded, origins, choice
