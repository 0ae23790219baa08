"""Database servers for ML Metadata: Debian's MariaDB and PostgreSQL, each in a temporary folder on a free port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.skips import missing

PATH = os.pathsep.join(["/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin")), os.environ.get("PATH", "")])
USER, PASSWORD = "tfx", 'a:pass/word@1&"ü'


@contextlib.contextmanager
def mariadb() -> Iterator[int]:
    """The port of a server that lets USER in."""
    install, server = _program("mariadb-install-db", "mariadb-server-core"), _program("mariadbd", "mariadb-server-core")
    _program("my_print_defaults", "mariadb-client-core")  # mariadb-install-db calls it
    with _folder() as folder:
        (folder / "user.sql").write_text(
            f"CREATE USER {USER} IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO {USER};\n"  # one statement a line
        )
        data = f"--datadir={folder / 'data'}"
        _done(folder, [install, "--no-defaults", data, "--auth-root-authentication-method=normal"])
        port = _free_port()
        command = [server, "--no-defaults", data, "--skip-name-resolve", "--bind-address=127.0.0.1", f"--port={port}"]
        command += [f"--socket={folder / 'socket'}", f"--init-file={folder / 'user.sql'}"]
        command += ["--character-set-server=utf8mb4"]  # as Debian's own configuration has it
        with _running(folder, command, port):
            yield port


@contextlib.contextmanager
def postgresql() -> Iterator[int]:
    """The port of a server that lets USER in, with SCRAM as PostgreSQL has it by default."""
    initdb, server = _program("initdb", "postgresql"), _program("postgres", "postgresql")
    with _folder() as folder:
        (folder / "password").write_text(PASSWORD + "\n")
        how = [f"--username={USER}", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256"]
        _done(folder, [initdb, f"--pgdata={folder / 'data'}", *how, "--locale=C", "--encoding=UTF8"])
        port = _free_port()
        command = [server, "-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-F"]
        with _running(folder, command, port, signal.SIGINT):  # else it waits for its clients to leave
            yield port


SERVERS: dict[str, Callable[[], contextlib.AbstractContextManager[int]]] = {
    "mysql": mariadb,
    "postgresql": postgresql,
}


def _program(name: str, package: str) -> str:
    why = f"{name} is not installed (Debian's package {package})"
    return shutil.which(name, path=PATH) or missing(why, "REQUIRE_SERVERS")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder that whoever runs the server can use: neither server runs as root."""
    with tempfile.TemporaryDirectory(prefix="server-") as name:
        if os.geteuid() == 0:
            shutil.chown(name, "nobody")
        yield Path(name)


def _as_user() -> dict[str, Any]:
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def _done(folder: Path, command: list[str]) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, **_as_user())
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _running(folder: Path, command: list[str], port: int, end: int = signal.SIGTERM) -> Iterator[None]:
    log = folder.parent / f"{folder.name}.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, **_as_user())
    try:
        deadline = time.monotonic() + 60
        while True:
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text())
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield
    finally:
        server.send_signal(end)
        server.wait(60)
        log.unlink()
