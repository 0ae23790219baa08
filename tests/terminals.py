"""A real terminal of a given width, for what a command prints on it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Sequence
from pathlib import Path

from pipeline import ROOT

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(command: Sequence[str], columns: int, folder: Path, rows: int = 40) -> tuple[int, str]:
    """Run a command on a terminal; return its exit code and what it printed, without control sequences."""
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        os.chdir(folder)
        os.execvpe(command[0], list(command), environment | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)})
    printed = b""
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        printed += part
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), _CONTROL.sub("", printed.decode().replace("\r\n", "\n"))
