"""`vertex`: the commands for Vertex AI Pipelines. Nothing heavy is imported before one of them runs."""

from __future__ import annotations

import argparse
import logging
import re
import sys
import warnings
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.errors import UserError
from pipeline.commands.options import add_config, add_improvements, load_config

EXIT_CODES = (
    "exit codes: 0 succeeded, 1 the job failed or was cancelled, or Google Cloud does not answer, 2 something is "
    "missing or mistaken and nothing was sent, 3 refused by a gate, 130 interrupted: the job goes on"
)


def add(commands: Any) -> None:
    """Add `vertex` and its actions to the subparsers of the command line."""
    vertex = commands.add_parser("vertex", help="run the pipeline on Vertex AI Pipelines")
    actions = vertex.add_subparsers(title="actions", required=True, metavar="ACTION")

    compile_ = actions.add_parser("compile", help="write the pipeline's spec; needs no network and no account")
    add_config(compile_)
    add_improvements(compile_)
    compile_.add_argument("--output", metavar="FILE", default="pipeline.json", help="default: pipeline.json")
    compile_.set_defaults(command=_compile)

    submit = actions.add_parser(
        "submit", help="look whether all is there, send the pipeline, and follow it", epilog=EXIT_CODES
    )
    add_config(submit)
    add_improvements(submit)
    _add_spec(submit)
    submit.add_argument("--job-id", metavar="ID", type=_job_id, help="of the job; sent again, it is not made twice")
    _add_wait(submit)
    submit.set_defaults(command=_quietly(_submit))

    schedule = actions.add_parser("schedule", help="have Vertex AI start the pipeline again and again")
    add_config(schedule)
    add_improvements(schedule)
    _add_spec(schedule)
    when = schedule.add_mutually_exclusive_group(required=True)
    cron_help = "minute hour day month weekday, in UTC or after TZ=Europe/Paris: '0 3 * * 1'"
    when.add_argument("--cron", type=_cron, metavar="CRON", help=cron_help)
    when.add_argument("--delete", action="store_true", help="delete the schedule of the pipeline")
    schedule.set_defaults(command=_quietly(_schedule))

    status = actions.add_parser("status", help="follow a job stage by stage until its end", epilog=EXIT_CODES)
    status.add_argument(
        "job", nargs="?", metavar="JOB", help="its name or whole resource name; the latest if not given"
    )
    add_config(status, data=False)
    _add_wait(status)
    status.set_defaults(command=_quietly(_status))

    cancel = actions.add_parser("cancel", help="stop a job")
    cancel.add_argument("job", metavar="JOB", help="its name or resource name")
    add_config(cancel, data=False)
    cancel.set_defaults(command=_quietly(_cancel))


def _add_spec(command: argparse.ArgumentParser) -> None:
    command.add_argument("--spec", metavar="FILE", type=_file, help="a compiled pipeline; compiled now if not given")
    command.add_argument(
        "--param",
        dest="parameters",
        metavar="K=V",
        type=_pair,
        action="append",
        default=[],
        help="a run parameter; repeatable",
    )


def _add_wait(command: argparse.ArgumentParser) -> None:
    wait = argparse.BooleanOptionalAction
    command.add_argument("--wait", action=wait, default=True, help="follow the job until its end; Ctrl-C leaves it")


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text}: no such file; `vertex compile --output {text}` writes it")
    return Path(text)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r}: write it as key=value")
    return key, value


def _job_id(text: str) -> str:
    if not re.fullmatch(r"[a-z][-a-z0-9]{0,127}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: small letters, digits and -, a letter first, at most 128")
    return text


def _cron(text: str) -> str:
    zone, fields = "", text.split()
    if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
        zone, *fields = fields
        zone = zone.partition("=")[2]
    if len(fields) != 5:
        raise argparse.ArgumentTypeError(f"{text!r} has {len(fields)} fields, not five: minute hour day month weekday")
    if not all(re.fullmatch(r"[A-Za-z0-9*,/-]+", field) for field in fields):
        raise argparse.ArgumentTypeError(f"{text!r}: a field is made of numbers, names and * , - /")
    if zone and zone not in zoneinfo.available_timezones():
        raise argparse.ArgumentTypeError(f"{zone!r} is no time zone; they are named as Europe/Paris")
    return text


def _quietly(command: Callable[[Any, argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """`command` without what Google's libraries say at import, and with one line for what Google Cloud refuses."""

    def run(args: argparse.Namespace) -> int:
        # They say that they leave Python 3.10 behind, which TFX decides, and each try of theirs that failed.
        logging.getLogger("google").setLevel(logging.ERROR)
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", r"You are using a (non-supported )?Python version", FutureWarning)
        config, _ = load_config(args)
        if not config.vertex.project and "/" not in (getattr(args, "job", None) or ""):
            raise UserError("no project is configured: --set vertex.project=NAME; `gcloud projects list` shows yours")
        from pipeline.vertex.cloud import CloudFault

        try:
            return command(config, args)
        except CloudFault as error:
            print(f"error: {error}", file=sys.stderr)
            return 1

    return run


def _compile(args: argparse.Namespace) -> int:
    config, _ = load_config(args)
    from pipeline.vertex import compile

    compile.run(config, Path(args.output))
    return 0


def _submit(config: Any, args: argparse.Namespace) -> int:
    from pipeline.vertex import submit

    return submit.run(config, args.spec, args.parameters, args.job_id, args.wait)


def _schedule(config: Any, args: argparse.Namespace) -> int:
    from pipeline.vertex import schedule

    return schedule.delete(config) if args.delete else schedule.run(config, args.cron, args.spec, args.parameters)


def _status(config: Any, args: argparse.Namespace) -> int:
    from pipeline.vertex import status

    return status.run(config, args.job, args.wait)


def _cancel(config: Any, args: argparse.Namespace) -> int:
    from pipeline.vertex import status

    return status.cancel(config, args.job)
