"""Processes in place of containers, with nothing of this process's environment."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline import ROOT
from pipeline.platforms.vertex import labels


def environment(home: Path) -> dict[str, str]:
    """Return the variables of a container: those of the Dockerfile and of Vertex AI, and no others."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        labels.VARIABLE: "{}",
    }


def start(
    command: Sequence[str], variables: Mapping[str, str], log: Path, leads: bool = True
) -> subprocess.Popen[bytes]:
    """Start a command, all of whose output is added to `log`.

    Args:
      command: with its arguments.
      variables: its environment.
      log: a file.
      leads: whether it leads a group of its own, which ends with it; else it is of this process's.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            cwd=ROOT,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=leads,  # Ctrl-C is this process's, which ends the others
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and the group that it leads, as Vertex AI ends a container: SIGTERM, then SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                leads = os.getpgid(process.pid) == process.pid
                (os.killpg if leads else os.kill)(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)


def free_ports(count: int) -> list[int]:
    """Return ports that no process listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
