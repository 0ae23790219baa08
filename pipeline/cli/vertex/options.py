"""Options and errors that the actions of `vertex` share."""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import UserError
from pipeline.cli.messages import Messages

if TYPE_CHECKING:
    from pipeline.config import Config

Command = Callable[[Any, argparse.Namespace], int]

EXIT_CODES = (
    ("0", "succeeded"),
    ("1", "the job failed or was cancelled, or Google Cloud does not answer"),
    ("2", "something is missing or mistaken, and nothing was sent"),
    ("3", "refused by a gate"),
    ("130", "interrupted; the job keeps running"),
)
SERVING_CODES = (
    ("0", "done, or shown"),
    ("1", "Google Cloud refuses or does not answer; repeat the command"),
    ("2", "something is missing or mistaken, and nothing was changed"),
    ("130", "interrupted"),
)
SET = "--config cloud.yaml"  # of the examples, with the project and the preset


def add_spec(command: argparse.ArgumentParser) -> None:
    command.add_argument("--spec", metavar="FILE", type=_file, help="a compiled pipeline (default: compile it now)")
    command.add_argument(
        "--param",
        dest="parameters",
        metavar="K=V",
        type=_pair,
        action="append",
        default=[],
        help="set a run parameter (repeatable)",
    )


def add_wait(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,  # whose own words for a default differ between Pythons
        default=argparse.SUPPRESS,
        help="follow the job until it ends, which is the default; Ctrl-C leaves it running",
    )
    command.set_defaults(wait=True)


def job(text: str) -> str:
    """Return `text`, the name of a job. The type of an argument."""
    from pipeline.platforms.vertex.resources import check_job

    try:
        return check_job(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text}: no such file; `vertex compile --output {text}` writes it")
    return Path(text)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r}: write it as key=value")
    return key, value


def require_preset(config: Config, args: argparse.Namespace) -> None:
    """Raise UserError if nothing but a look at the data could tell the network, and there is none here.

    Also where the data is on this machine, or would have to be downloaded.
    """
    from pipeline.platforms.vertex import names

    names.data(config)
    if args.choice.reason:
        raise UserError(
            f"data.source {config.data.source!r} is not looked at before a run on Vertex AI: choose --preset photos "
            "(pretrained) or --preset small (from scratch)"
        )


def settled(config: Config, args: argparse.Namespace, submitted: bool = True) -> Config:
    """Return the configuration of the job: as the command gives it, or with `--spec` as the file was compiled.

    Args:
      config: as the command gives it.
      args: the arguments.
      submitted: whether the job is sent, and so must name a project.

    Raises:
      UserError: the pipeline cannot be compiled from it, or a setting is not what was compiled.
    """
    if args.spec is None:
        require_preset(config, args)
        from pipeline.platforms.vertex import parameters

        parameters.values(config, args.parameters)  # so that a mistake is reported before TFX is loaded
        Messages.of(args).say("loading TFX")
        return config
    from pipeline.platforms.vertex import spec_file

    explicit = {key: origin for key, origin in args.origins.items() if origin in ("--set", args.config)}
    if args.preset:
        explicit |= {"preset": "--preset"}
    return spec_file.read_config(args.spec, config, explicit, submitted)


def on_google_cloud(command: Command) -> Command:
    """Wrap `command`: hide the warnings of Google's libraries, and turn a refusal of Google Cloud into one line."""

    def run(config: Any, args: argparse.Namespace) -> int:
        # They warn that they will drop Python 3.10, which TFX requires, and about each failed attempt.
        logging.getLogger("google").setLevel(logging.ERROR)
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", r"You are using a (non-supported )?Python version", FutureWarning)
        compiled = getattr(args, "spec", None)  # and names its project
        if not (config.vertex.project or compiled) and "/" not in (getattr(args, "job", None) or ""):
            raise UserError("no project is configured: --set vertex.project=NAME; `gcloud projects list` shows yours")
        from pipeline.platforms.vertex.cloud import CloudFault

        try:
            return command(config, args)
        except CloudFault as error:
            print(f"error: {error}", file=sys.stderr)
            return 1

    return run
