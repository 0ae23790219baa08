"""The command line. TensorFlow and TFX are imported only inside the commands that need them."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from components.errors import Damaged, UserError
from pipeline.commands import GROUPS
from pipeline.commands.running import EXIT_CODES


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    args = _parser().parse_args(argv)
    try:
        return int(args.command(args))
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
        said = _in_words(error, args)
        if said is None:
            raise
        print(f"error: {said}", file=sys.stderr)
        return 1


def _in_words(error: Exception, args: argparse.Namespace) -> str | None:
    """A fault of the disk or of the database; None where it is the program's."""
    if not isinstance(error, OSError) and not type(error).__module__.startswith("ml_metadata"):
        return None
    from pipeline import faults
    from pipeline.commands.options import load_config

    try:
        config, _ = load_config(args)
    except Exception:  # a command without a configuration
        return None
    return faults.in_words(error, config) or faults.plain(" ".join(str(error).split()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline", description="From labelled pictures to a pushed model.", epilog=EXIT_CODES
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add(commands)
    return parser
