"""The parser of the command line: a mistake is one line, which names what was probably meant."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from components.text import did_you_mean
from pipeline import stage_named


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake in one line, and a missing command with its help."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments; none may be left over, and a command without its action prints the help."""
        if args is not None and not args and any(isinstance(a, argparse._SubParsersAction) for a in self._actions):
            self.print_help()
            self.exit()
        parsed, rest = super().parse_known_args(args, namespace)
        options = [text for text in rest if text.startswith("-")]
        if options:
            option = options[0].partition("=")[0]
            self.error(f"unknown option {option}; {did_you_mean(option, self._option_string_actions)}")
        if rest:
            self.error(f"{rest[0]!r} is one argument too many")
        return parsed, rest

    def error(self, message: str) -> NoReturn:
        """Print the mistake as one line and exit with code 2."""
        message = message.removeprefix("argument ")
        see = "" if message.endswith("?") else f"; see `{self.prog} --help`"
        self.exit(2, f"error: {message}{see}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse an unknown command, or another word that is not one of a few."""
        if action.choices is None or value in action.choices:
            return
        named = f"unknown {str(action.metavar).lower()}" if not action.option_strings else action.option_strings[0]
        self.error(f"{named} {value!r}; {did_you_mean(value, action.choices)}")


def stage(word: str) -> str:
    """Return the stage of that name, in any case.

    Raises:
      argparse.ArgumentTypeError: there is none.
    """
    try:
        return stage_named(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def describe(
    parser: argparse.ArgumentParser,
    sentence: str,
    examples: Sequence[tuple[str, str]],
    exit_codes: Sequence[tuple[str, str]],
) -> None:
    """Give the `--help` of a command its sentence, its examples with what each does, and its exit codes."""
    parser.description = sentence
    width = max(len(f"{parser.prog} {words}".rstrip()) for words, _ in examples)
    lines = ["examples:"]
    for words, meaning in examples:
        line = f"{parser.prog} {words}".rstrip()
        beside = width + len(meaning) <= 74  # columns
        lines.append(f"  {line:<{width}}  # {meaning}" if beside else f"  {line}\n      # {meaning}")
    code_width = max(len(code) for code, _ in exit_codes)
    lines += ["", "exit codes:", *(f"  {code:<{code_width}}  {meaning}" for code, meaning in exit_codes)]
    parser.epilog = "\n".join(lines)


def following(parser: argparse.ArgumentParser) -> dict[tuple[str, ...], Collection[str]]:
    """Return the words that may follow each command, and each action of one: its actions, else its options."""
    words: dict[tuple[str, ...], Collection[str]] = {}

    def visit(path: tuple[str, ...], at: argparse.ArgumentParser) -> None:
        options = [
            text
            for action in at._actions
            if action.help != argparse.SUPPRESS
            for text in action.option_strings
            if text.startswith("--")
        ]
        commands = [action for action in at._actions if isinstance(action, argparse._SubParsersAction)]
        words[path] = [*(name for action in commands for name in action.choices), *options]
        for action in commands:
            for name, inner in action.choices.items():
                visit((*path, name), inner)

    visit((), parser)
    return words
