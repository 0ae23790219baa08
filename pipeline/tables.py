"""Tables on the terminal. In a pipe or a file each row is one line, whatever its length."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TextIO

from rich.cells import cell_len, chop_cells
from rich.console import Console

WIDE = 10_000  # columns
TITLE = 9  # columns of the titles of lines
SOLID = "\N{NO-BREAK SPACE}"  # printed as a space, at which no line is broken

_IN_PARENTHESES = re.compile(r"(?<=[^)]) (?=[^(]*\))")

Rows = Sequence[Sequence[str]]


def print_table(
    rows: Iterable[Sequence[str]],
    indent: int = 2,
    gap: int = 2,
    least: Sequence[int] = (),
    right: Sequence[int] = (),
    file: TextIO | None = None,
) -> None:
    """Print rows of cells in columns; on a terminal cells that are too wide continue on the next line.

    Args:
      rows: the cells; rows may differ in length.
      indent: spaces before the first column.
      gap: spaces between columns.
      least: the least widths of the first columns, so that several tables have the same.
      right: the numbers of the columns that are aligned at the right.
      file: standard output if None.
    """
    rows = list(rows)
    file = file or sys.stdout
    for line in lines(rows, fit(rows, room(file) - indent, gap, least), gap, right):
        print(f"{' ' * indent}{line}".rstrip(), file=file)


def print_titled(title: str, text: str, file: TextIO | None = None) -> None:
    """Print a title and a text beside it, which on a terminal continues below itself."""
    print("\n".join(titled(title, text, room(file or sys.stdout))), file=file or sys.stdout)


def titled(title: str, text: str, room: int) -> list[str]:
    """Return a title and a text beside it, broken at spaces; whole where a word, as a path, is wider than a line."""
    width = room - TITLE - 1
    if cell_len(title) > TITLE or any(cell_len(word) > width for word in text.split(" ")):
        return [f"{title:<{TITLE}} {text}".rstrip()]
    return lines([(title, text)], [TITLE, width], gap=1) if text else [title]


def solid(text: str) -> str:
    """Return a text that is not broken within its parentheses, as those of an interval."""
    return SOLID.join(_IN_PARENTHESES.split(text))


def room(file: TextIO) -> int:
    """Return the columns that a line may have."""
    return Console(file=file).width if file.isatty() else WIDE


def fit(rows: Rows, room: int, gap: int, least: Sequence[int] = ()) -> list[int]:
    """Return the widths of the columns that together have `room`: the widest give way first, words are kept whole.

    A word is broken only where the words alone are too wide, as a path may be.
    """
    columns = list(zip_longest(*rows, fillvalue=""))
    widths = [max(map(cell_len, column)) for column in columns]
    words = [max((cell_len(word) for cell in column for word in cell.split(" ")), default=0) for column in columns]
    for floor in (words, [1] * len(widths)):
        excess = sum(widths) + gap * (len(widths) - 1) - room
        while excess > 0 and any(width > lowest for width, lowest in zip(widths, floor)):
            widest = max(range(len(widths)), key=lambda n: (widths[n] > floor[n], widths[n]))
            widths[widest] -= 1
            excess -= 1
    spare = room - sum(widths) - gap * (len(widths) - 1)
    for number, width in enumerate(least[: len(widths)]):
        more = max(0, min(width - widths[number], spare))
        widths[number] += more
        spare -= more
    return widths


def lines(rows: Rows, widths: Sequence[int], gap: int, right: Sequence[int] = ()) -> list[str]:
    """Return the lines of a table whose columns have these widths."""
    result = []
    for row in rows:
        for parts in zip_longest(*map(_wrapped, row, widths), fillvalue=""):
            cells = [
                f"{' ' * (width - cell_len(part))}{part}"
                if number in right
                else f"{part}{' ' * (width - cell_len(part))}"
                for number, (part, width) in enumerate(zip(parts, widths))
            ]
            result.append((" " * gap).join(cells).replace(SOLID, " ").rstrip())
    return result


def _wrapped(cell: str, width: int) -> list[str]:
    """Return the lines of a cell, broken at spaces; words that are wider are broken anywhere."""
    if cell_len(cell) <= width:
        return [cell]
    result = [""]
    for word in cell.split(" "):
        if result[-1] and cell_len(result[-1]) + 1 + cell_len(word) <= width:
            result[-1] += f" {word}"
        else:
            result += chop_cells(word, width) if cell_len(word) > width else [word]
    return [line for line in result if line]


def shortened(text: str, width: int) -> str:
    """Return a text without its middle if it is wider."""
    if cell_len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
