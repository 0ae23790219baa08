"""What a command says besides its answer, on standard error: what it waits for, and what to type next."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pipeline.output import redirect_output, short

if TYPE_CHECKING:
    from pipeline.config import Config

Step = tuple[str, str]  # a command and what it does
_WIDTH = 70  # columns of a command and its comment: a terminal has 80


@dataclasses.dataclass(frozen=True)
class Messages:
    """How much a command says.

    Attributes:
      quiet: nothing but the answer and errors.
      verbose: the output of the libraries too.
      as_json: the answer is read by a program, which types nothing next.
    """

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False

    @classmethod
    def of(cls, args: argparse.Namespace) -> Messages:
        """Return what the arguments ask for."""
        return cls(*(bool(getattr(args, name, False)) for name in ("quiet", "verbose", "json")))

    def say(self, line: str, style: str | None = None) -> None:
        """Print a line, unless quiet."""
        if not self.quiet:
            from rich.console import Console  # takes a moment, which `--help` has not

            console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
            console.print(line, style=style, markup=False)
            sys.stderr.flush()

    @contextmanager
    def waiting(self, text: str = "") -> Iterator[None]:
        """Say what takes seconds, and hide what the libraries print meanwhile."""
        if text:
            self.say(text)
        with nullcontext() if self.verbose else redirect_output(os.devnull):
            yield

    def next(self, steps: Sequence[Step], file: TextIO | None = None) -> None:
        """Print the commands to type next, each with what it does: behind it, or above it if that is too long."""
        if self.quiet or self.as_json or not steps:
            return
        width = max(len(command) for command, _ in steps)
        lines = [f"{command:<{width}}  # {meaning}" for command, meaning in steps]
        if max(map(len, lines)) > _WIDTH:
            lines = [line for command, meaning in steps for line in (f"# {meaning}", command)]
        for number, line in enumerate(lines):
            print(f"{'' if number else 'next':<9} {line}", file=file or sys.stderr, flush=True)


def command_line(config: Config, *words: str) -> str:
    """Return a command of this program on the same run directory, to be copied into a shell."""
    return " ".join([program(), shlex.join(words), *_store(config)])


def program() -> str:
    """Return what the shell finds this program under."""
    name = "image-pipeline"
    if shutil.which(name):
        return name
    beside = Path(sys.executable).with_name(name)
    return shlex.quote(short(beside)) if beside.exists() else f"{shlex.quote(short(sys.executable))} -m pipeline"


def _store(config: Config) -> Iterator[str]:
    """Yield the options without which a command would ask another run directory or database."""
    if config.run_dir != type(config).model_fields["run_dir"].default:
        yield f"--run-dir {shlex.quote(config.run_dir)}"
    if config.metadata.url is not None:
        from pipeline.tracking import server_url

        url = config.metadata.url.get_secret_value()
        shown = "env:NAME" if server_url.has_password(url) else url  # a password is not printed
        yield f"--set {shlex.quote(f'metadata.url={shown}')}"
