"""`vertex run-local`: run a compiled spec on this machine."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from components import files
from components.errors import UserError
from pipeline.cli.messages import Messages
from pipeline.cli.options import add_config, add_improvements
from pipeline.cli.parser import describe
from pipeline.cli.vertex.options import add_spec, require_preset, settled
from pipeline.platforms.vertex import local_run

if TYPE_CHECKING:
    from pipeline.config import Config

FOLDER = "vertex-local"  # in the run directory
_CODES = (
    ("0", "every stage is done, and the gates passed"),
    ("1", "a stage failed; its line and its log are named"),
    ("2", "a mistake in the command or the configuration"),
    ("3", "refused by a gate: nothing was pushed"),
    ("130", "interrupted (143: SIGTERM, 129: SIGHUP); the containers end too"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the action."""
    examples = (
        ("--preset digits --param epochs=2", "compile and run it"),
        ("--data ~/photos --preset small", "images of yours"),
    )
    describe(parser, "Run the spec here: a process for each container, a folder for the bucket.", examples, _CODES)
    add_config(parser)
    add_improvements(parser)
    add_spec(parser)


def command(config: Config, args: argparse.Namespace) -> int:
    """Run the spec, and print where what it made lies."""
    messages, folder = Messages.of(args), Path(config.run_dir, FOLDER)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; give another --run-dir") from None
    given = dict(args.parameters)
    path = _here(given.get("data", "" if args.spec else config.data.source))
    if args.spec:
        config = settled(config, args, submitted=False)
        if absent := local_run.absent(config):
            raise UserError(
                f"{args.spec} was compiled with {', '.join(absent)}, and runs here without: compile it again, or leave "
                "out --spec"
            )
    else:
        if path:  # it was looked at, as by a local run
            data = config.data.model_copy(update={"source": f"gs://{folder.name}/{config.name}"})
            config = config.model_copy(update={"data": data})
        else:
            require_preset(config, args)
        if absent := local_run.absent(config):
            messages.say(f"note      left out here: {', '.join(absent)}")
            config = local_run.without_cloud(config)
    from pipeline.platforms.vertex import parameters

    values = parameters.values(config, [pair for pair in args.parameters if not path or pair[0] != "data"])
    messages.say("loading TFX")
    with messages.waiting():
        from pipeline.platforms.local.signals import raised
        from pipeline.platforms.vertex import compile, spec_file
        from pipeline.platforms.vertex.local_run import run

        job = spec_file.read(args.spec) if args.spec else compile.spec(config)
    values["data"] = path or local_run.find_data(job, folder, values.get("data"))
    with raised():  # the containers end with this process
        ended = run.run(job, folder, values)
    run.show(ended, sys.stdout)
    return ended.exit_code


def _here(source: str) -> str:
    """Return the path of data on this machine; empty where it is a data set's name or lies on the bucket.

    Raises:
      UserError: there is nothing at the path.
    """
    from components.example_gen.formats import detect

    path = os.path.realpath(os.path.expanduser(source))
    if not source or files.is_remote(source) or source.startswith("tfds:") or detect.by_dataset(source):
        return ""
    if not os.path.exists(path):
        raise UserError(f"data {source!r}: there is no such file or folder")
    return path
