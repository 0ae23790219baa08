"""The progress of a run: its stages as lines, as a live table on a terminal, or as a table in a notebook's cell.

Importing this module needs the standard library alone: what shows a run may have nothing else installed.
"""

from __future__ import annotations

import html
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

PACE = 10.0  # seconds between two lines of progress where there is no terminal
REFRESH = 0.5  # seconds between two versions of a table in a notebook
STYLES = {
    "waiting": "dim",
    "running": "bold cyan",
    "done": "green",
    "cached": "blue",
    "failed": "bold red",
    "refused": "bold yellow",
    "interrupted": "bold yellow",
    "not run": "dim",
}


class StageTable:
    """The stages of one run in the order of the chain, with their states, seconds and progress, as lines."""

    def __init__(self, stages: Sequence[str], file: TextIO) -> None:
        self._file = file
        self._states = dict.fromkeys(stages, "waiting")
        self._seconds: dict[str, float] = {}
        self._notes: dict[str, str] = {}
        self._running: str | None = None
        self._began: dict[str, float] = {}
        self._told = time.monotonic()  # when the last line of progress was printed
        self._status = ""
        self._transferred = ""  # the text of the transfer that was shown last
        self._share: float | None = None
        self.left = "not run"  # the final state of stages that did not start

    def __enter__(self) -> StageTable:
        return self

    def __exit__(self, *unused: object) -> None:
        for stage, state in self._states.items():
            if state == "waiting":
                self._states[stage] = self.left

    def status(self, text: str) -> None:
        """Show an action outside the stages."""
        self._status, self._share = text, None
        if text:
            self.plain(text)

    def line(self, text: str) -> None:
        """Print a line, above a table."""
        print(text, file=self._file, flush=True)

    def transfer(self, text: str, done: int, total: int) -> None:
        """Show the progress of a download in bytes: a bar, or lines. `total` is 0 if it is not known."""
        amount = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB"
        self._status, self._share = f"{text}: {amount}", done / total if total else None
        if text != self._transferred or self._due():
            self._transferred, self._told = text, time.monotonic()
            self.plain(self._status)

    def plain(self, text: str) -> None:
        """Print a line where lines are all that is shown."""
        self.line(text)

    def _due(self) -> bool:
        """Return True if the next line of progress may be printed."""
        return time.monotonic() - self._told >= PACE

    def started(self, stage: str, ago: float = 0.0) -> None:
        """Show that a stage started, `ago` seconds ago."""
        self._running, self._status = stage, ""
        self._told = time.monotonic()
        self._began[stage] = self._told - ago
        self._states[stage] = "running"

    def progress(self, text: str) -> None:
        """Show the progress of the running stage; in plain lines at most one in PACE seconds."""
        if self._running is None:
            return
        self._notes[self._running] = text
        if self._due():
            self._told = time.monotonic()
            self.plain(f"  {self._running:<17} {'':<8}          {text}")

    def ended(self, stage: str, state: str, seconds: float) -> None:
        """Show that a stage ended; `state` is one of done, cached, failed, refused, interrupted."""
        self._states[stage], self._seconds[stage] = state, seconds
        self._running = None
        self.plain(f"  {stage:<17} {state:<8} {seconds:6.1f} s  {self._notes.get(stage, '')}".rstrip())

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Return the stage, state, time and note of each stage."""
        rows = []
        for stage, state in self._states.items():
            seconds = time.monotonic() - self._began[stage] if state == "running" else self._seconds.get(stage)
            rows.append((stage, state, f"{seconds:.1f} s" if seconds is not None else "", self._notes.get(stage, "")))
        return rows


class LiveTable(StageTable):
    """The same as a table that is drawn again and again on a terminal."""

    def __init__(self, stages: Sequence[str], file: TextIO) -> None:
        super().__init__(stages, file)
        from rich.console import Console
        from rich.live import Live

        # The libraries' output goes to the log by file descriptor; rich must not redirect it.
        self._live = Live(
            console=Console(file=file, highlight=False, soft_wrap=True),
            get_renderable=self._table,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> StageTable:
        self._live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        super().__exit__()
        self._live.stop()

    def line(self, text: str) -> None:
        self._live.console.print(text, markup=False)

    def plain(self, text: str) -> None:
        """Print nothing: the table shows it."""

    def _table(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=True)
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column()
        for stage, state, seconds, note in self._rows():
            # The note takes several lines where the terminal is narrow.
            table.add_row(stage, Text(state, STYLES[state]), Text(seconds, justify="right"), Text(note, "dim"))
        if not self._status:
            return table
        status = Text(f"  {self._status}", "dim")
        return Group(table, status, *([ProgressBar(1, self._share, 40)] if self._share is not None else []))


_COLOURS = {"done": "#1a7f37", "cached": "#0969da", "failed": "#cf222e", "refused": "#9a6700", "interrupted": "#9a6700"}


class NotebookTable(StageTable):
    """The same as one output of a notebook's cell, which is updated in place."""

    def __init__(self, stages: Sequence[str], file: TextIO) -> None:
        super().__init__(stages, file)
        self._output: Any = None
        self._shown = 0.0  # when the output was updated last

    def __enter__(self) -> StageTable:
        from IPython.display import display

        self._output = display(self._bundle(), raw=True, display_id=True)
        return self

    def __exit__(self, *unused: object) -> None:
        super().__exit__()
        self._update()

    def status(self, text: str) -> None:
        super().status(text)
        self._update()

    def started(self, stage: str, ago: float = 0.0) -> None:
        super().started(stage, ago)
        self._update()

    def ended(self, stage: str, state: str, seconds: float) -> None:
        super().ended(stage, state, seconds)
        self._update()

    def progress(self, text: str) -> None:
        super().progress(text)
        if time.monotonic() - self._shown >= REFRESH:
            self._update()

    def transfer(self, text: str, done: int, total: int) -> None:
        super().transfer(text, done, total)
        if time.monotonic() - self._shown >= REFRESH:
            self._update()

    def plain(self, text: str) -> None:
        """Print nothing: the table shows it."""

    def _update(self) -> None:
        self._shown = time.monotonic()
        self._output.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, str]:
        rows = self._rows()
        plain = [f"{stage:<17} {state:<11} {seconds:>8}  {note}".rstrip() for stage, state, seconds, note in rows]
        status = [self._status] if self._status else []
        return {"text/plain": "\n".join([*plain, *status]), "text/html": self._html(rows)}

    def _html(self, rows: Sequence[tuple[str, str, str, str]]) -> str:
        cell = "padding:1px 12px 1px 0;text-align:"
        lines = [
            f"<tr><td style='{cell}left'>{stage}</td>"
            f"<td style='{cell}left;color:{_COLOURS.get(state, 'inherit')}'>"
            f"{f'<b>{state}</b>' if state == 'running' else state}</td>"
            f"<td style='{cell}right;white-space:nowrap'>{seconds}</td>"
            f"<td style='{cell}left;opacity:.75'>{html.escape(note)}</td></tr>"
            for stage, state, seconds, note in rows
        ]
        bar = f" <progress value='{self._share:.3f}'></progress>" if self._share is not None and self._status else ""
        status = f"<div style='opacity:.75'>{html.escape(self._status)}{bar}</div>" if self._status else ""
        return f"<table style='font-size:90%'><tbody>{''.join(lines)}</tbody></table>{status}"


Factory = Callable[[Sequence[str], TextIO], StageTable]

_factory: Factory | None = None


def use(factory: Factory | None) -> None:
    """Have `make` return what `factory` makes; None ends that."""
    global _factory
    _factory = factory


def make(stages: Sequence[str], file: TextIO) -> StageTable:
    """Return the table of these stages that fits where `file` is shown."""
    if _factory is not None:
        return _factory(stages, file)
    if file is sys.stdout and in_notebook():
        return NotebookTable(stages, file)
    if file.isatty() and importlib.util.find_spec("rich"):
        return LiveTable(stages, file)
    return StageTable(stages, file)


def in_notebook() -> bool:
    """Return True if this is the process of a notebook, whose cells can hold more than text."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")
