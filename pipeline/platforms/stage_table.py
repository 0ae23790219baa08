"""The progress of a run: a live table of its stages on a terminal, elsewhere a line a stage."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

PACE = 10.0  # seconds between two lines of progress where there is no terminal
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
    """The stages of one run in the order of the chain, with their states, seconds and progress."""

    def __init__(self, stages: Sequence[str], file: TextIO) -> None:
        self.console = Console(file=file, highlight=False, soft_wrap=True)
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
        self._live: Live | None = None
        if self.console.is_terminal:
            # The libraries' output goes to the log by file descriptor; rich must not redirect it.
            self._live = Live(
                console=self.console,
                get_renderable=self._table,
                refresh_per_second=4,
                redirect_stdout=False,
                redirect_stderr=False,
            )

    def __enter__(self) -> StageTable:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        for stage, state in self._states.items():
            if state == "waiting":
                self._states[stage] = self.left
        if self._live:
            self._live.stop()

    def status(self, text: str) -> None:
        """Show an action outside the stages."""
        self._status, self._share = text, None
        if self._live is None and text:
            self.line(text)

    def line(self, text: str) -> None:
        """Print a line, above a live table."""
        self.console.print(text, markup=False)

    def transfer(self, text: str, done: int, total: int) -> None:
        """Show the progress of a download in bytes: a bar, or lines. `total` is 0 if it is not known."""
        amount = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB"
        self._status, self._share = f"{text}: {amount}", done / total if total else None
        if self._live is None and (text != self._transferred or self._due()):
            self._transferred, self._told = text, time.monotonic()
            self.line(self._status)

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
        if self._live is None and self._due():
            self._told = time.monotonic()
            self.line(f"  {self._running:<17} {'':<8}          {text}")

    def ended(self, stage: str, state: str, seconds: float) -> None:
        """Show that a stage ended; `state` is one of done, cached, failed, refused, interrupted."""
        self._states[stage], self._seconds[stage] = state, seconds
        self._running = None
        if self._live is None:
            note = self._notes.get(stage, "")
            self.line(f"  {stage:<17} {state:<8} {seconds:6.1f} s  {note}".rstrip())

    def _table(self) -> RenderableType:
        table = Table(box=None, show_header=False, pad_edge=True)
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column()
        for stage, state in self._states.items():
            seconds = time.monotonic() - self._began[stage] if state == "running" else self._seconds.get(stage)
            table.add_row(
                stage,
                Text(state, STYLES[state]),
                Text(f"{seconds:.1f} s" if seconds is not None else "", justify="right"),
                Text(self._notes.get(stage, ""), "dim"),  # over several lines where the terminal is narrow
            )
        if not self._status:
            return table
        status = Text(f"  {self._status}", "dim")
        return Group(table, status, *([ProgressBar(1, self._share, 40)] if self._share is not None else []))
