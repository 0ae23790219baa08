"""The options that the commands share."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.first_look import Choice

EXIT_CODES = (
    "exit codes: 0 done (run: the model was pushed), 1 a fault, 2 a mistake of the user, 3 refused by a gate, 130, 143 "
    "or 129 stopped by Ctrl-C, SIGTERM or SIGHUP: run the same command to resume"
)
A_RUN = "run id, or its beginning (default: the latest run)"


def add_config(command: argparse.ArgumentParser, data: bool = True) -> None:
    """Add the options that decide the configuration; `data` if the command reads images."""
    if data:
        command.add_argument(
            "--data", metavar="SOURCE", help="digits, cifar10, tfds:NAME, a path or a URL: docs/data.md lists all"
        )
    else:
        command.set_defaults(data=None)
    command.add_argument("--preset", metavar="NAME", help="as photos or small (default: the one for the data)")
    command.add_argument("--config", metavar="FILE", help="a YAML file that overrides the preset")
    command.add_argument(
        "--set",
        dest="settings",
        metavar="A.B=C",
        action="append",
        default=[],
        help="override one config value (repeatable)",
    )
    command.add_argument("--run-dir", metavar="DIR", help="directory of all state (default: output)")


def add_improvements(command: argparse.ArgumentParser) -> None:
    """Add the options of the two optional stages."""
    command.add_argument("--warm-start", action="store_true", help="start from the weights of the latest blessed model")
    command.add_argument("--tune", type=int, metavar="N", help="tune hyperparameters first, in N trials")


def load_config(args: argparse.Namespace) -> tuple[Config, dict[str, str], Choice]:
    """Return (Config, origins, the choice of the preset); a command-line option is a setting like any other."""
    from pipeline import config

    settings = list(args.settings)
    for key, value in (("data.source", args.data), ("run_dir", args.run_dir)):
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
