"""Tables on the terminal. In a pipe or a file each row is one line, whatever its length."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDE = 10_000  # columns


def print_table(
    rows: Iterable[Sequence[str]],
    indent: int = 2,
    gap: int = 2,
    least: Sequence[int] = (),
    right: Sequence[int] = (),
    file: TextIO | None = None,
) -> None:
    """Print rows of cells in columns.

    Args:
      rows: the cells; rows may differ in length.
      indent: spaces before the first column.
      gap: spaces between columns.
      least: the least widths of the first columns, so that several tables have the same.
      right: the numbers of the columns that are aligned at the right.
      file: standard output if None.
    """
    rows = list(rows)
    if not rows:
        return
    file = file or sys.stdout
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, gap, 0, 0))
    for number in range(max(map(len, rows))):
        least_width = least[number] if number < len(least) else None
        table.add_column(justify="right" if number in right else "left", min_width=least_width)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=file, highlight=False, width=None if file.isatty() else WIDE)
    with console.capture() as capture:
        console.print(Padding(table, (0, 0, 0, indent), expand=False))
    print("\n".join(line.rstrip() for line in capture.get().splitlines()), file=file)
