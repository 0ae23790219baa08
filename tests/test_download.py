"""Downloads against a real HTTP server: resumed, verified, visible only when whole."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.download import Published, download, verify
from components.errors import UserError

CONTENT = bytes(range(256)) * 20_000  # 5 MB


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` at /file; `break_after` ends each answer after so many bytes."""

    content = CONTENT
    break_after: int | None = None
    ranges = True
    status = 200
    asked: list[str | None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        end = len(server.content) if server.break_after is None else start + server.break_after
        self.wfile.write(server.content[start:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(name="server")
def running_server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def published(server: Server, content: bytes = CONTENT) -> Published:
    return Published(f"http://127.0.0.1:{server.server_port}/file", hashlib.sha256(content).hexdigest())


def test_whole(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = tmp_path / "cache" / "file"
    download(published(server), str(target), lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    verify(str(target), published(server))


def test_a_file_of_which_the_md5_is_known(server: Server, tmp_path: Path) -> None:
    known = Published(f"http://127.0.0.1:{server.server_port}/file", md5=hashlib.md5(CONTENT).hexdigest())
    server.break_after = 3_000_000
    download(known, str(tmp_path / "file"), pause=0)
    assert server.asked == [None, "bytes=3000000-"]
    verify(str(tmp_path / "file"), known)
    with pytest.raises(UserError, match=r"not the published file \(its MD5 differs\)"):
        download(known._replace(md5="0" * 32), str(tmp_path / "other"), pause=0)
    (tmp_path / "file").write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match=r"not the published file \(its MD5 differs\): damaged, or another file"):
        verify(str(tmp_path / "file"), known)


def test_resumes_what_a_former_run_left(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:3_000_000])
    download(published(server), str(tmp_path / "file"))
    assert server.asked == ["bytes=3000000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_resumes_when_the_connection_breaks(server: Server, tmp_path: Path) -> None:
    server.break_after = 2_000_000
    download(published(server), str(tmp_path / "file"), pause=0)
    assert server.asked == [None, "bytes=2000000-", "bytes=4000000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_gives_up_where_nothing_new_comes(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    server.break_after = 0
    with pytest.raises(
        UserError, match=r"cannot download http://127.*Without a network: download it elsewhere and put it at"
    ):
        download(published(server), str(tmp_path / "file"), pause=0)
    assert len(server.asked) == 5
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:1000]  # kept for the next time


def test_a_server_without_ranges(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "file.part").write_bytes(b"old" * 1000)
    download(published(server), str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_is_whole(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    download(published(server), str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not the published file"):
        download(published(server, b"other"), str(tmp_path / "file"))
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(UserError, match="Delete it to download it again"):
        verify(str(tmp_path / "file"), published(server))
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (503, 5)])
def test_refused(server: Server, tmp_path: Path, status: int, asked: int) -> None:
    server.status = status
    with pytest.raises(UserError, match=r"cannot download http://127"):
        download(published(server), str(tmp_path / "file"), pause=0)
    assert len(server.asked) == asked


def test_no_network_says_so_at_once(tmp_path: Path) -> None:
    nowhere = Published("http://127.0.0.1:9/file.tar.gz", "0" * 64)
    with pytest.raises(UserError) as caught:
        download(nowhere, str(tmp_path / "file.tar.gz"), pause=100)
    assert str(caught.value) == (
        "cannot download http://127.0.0.1:9/file.tar.gz ([Errno 111] Connection refused). "
        f"Without a network: download it elsewhere and put it at {tmp_path / 'file.tar.gz'}"
    )


def test_no_place_to_write(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(UserError, match="cannot write"):
        download(Published("http://127.0.0.1:9/file", "0" * 64), str(tmp_path / "cache" / "file"))
