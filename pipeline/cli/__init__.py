"""The command line: a module a command, with `add_arguments(parser)` and `command(config, args)`.

`command` returns the exit code. Its module is imported when the command is given, so that `--help` answers at once;
TensorFlow and TFX are imported only inside the commands that need them.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from components.errors import Damaged, UserError
from pipeline.cli.options import CODES, load_config
from pipeline.cli.parser import Parser, describe

if TYPE_CHECKING:
    from pipeline.config import Config

# Every command with its line of `--help`, in that order. `pipeline/cli/<command>.py` is its module.
COMMANDS = {
    "run": "run the pipeline",
    "predict": "classify images with the latest pushed model",
    "config": "print the configuration and where each value comes from",
    "runs": "list the runs of a run directory",
    "show": "print the stages and the result of a run",
    "report": "print the path of the report of a run",
    "compare": "compare two runs: configuration, code, data and results",
    "lineage": "show what a model was made from, what was made from data, and why a model was blessed",
    "card": "write the card of a pushed model: its use, data, metrics, limits and lineage",
    "board": "start TensorBoard over the training logs of all runs",
    "doctor": "check the environment and the run directory",
    "gc": "remove what the newest runs and the served versions do not need",
    "rollback": "serve an earlier pushed version again",
    "schema": "write curated schemas",
    "vertex": "run the pipeline on Vertex AI Pipelines",
    "completion": "print a script that completes commands and options in bash or zsh",
}

EXAMPLES = (("run PATH", "train on a folder of images"), ("predict IMAGE", "classify an image with the pushed model"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    args = parser(words).parse_args(words)
    args.words = words
    config = None
    try:
        if hasattr(args, "settings"):
            config, args.origins, args.choice = load_config(args)
        return int(args.command(config, args))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Damaged as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print("interrupted", file=sys.stderr)
        return 128 + getattr(error, "number", signal.SIGINT)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception as error:
        message = _explain(error, config)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        return 1


def parser(words: Collection[str] = tuple(COMMANDS)) -> Parser:
    """Return the parser of the command line, with the arguments of those commands that are among `words`."""
    result = Parser(prog="image-pipeline")
    describe(result, "From labelled images to a pushed model.", EXAMPLES, CODES)
    result.add_argument("-V", "--version", action=_Version, nargs=0, help="print the version and exit")
    commands = result.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if name in words:
            module = importlib.import_module(f"pipeline.cli.{name}")
            module.add_arguments(command)
            if name != "vertex":  # whose actions have one each
                command.set_defaults(command=module.command)
    return result


class _Version(argparse.Action):
    """Print the version of the installed package, which is looked up only on request."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"image-pipeline {version('image-classification-pipeline')}")
        parser.exit()


def _explain(error: Exception, config: Config | None) -> str | None:
    """Return the message for a fault of the disk or of the database; None for a fault of the program."""
    if config is None or not (isinstance(error, OSError) or type(error).__module__.startswith("ml_metadata")):
        return None
    from pipeline.runs import faults

    return faults.in_words(error, config) or faults.plain(" ".join(str(error).split()))
