"""A real HTTP server on this machine, whose answers can break off, and which notes what it was asked."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by their paths: (content, headers); `break_after` ends each answer after so many bytes."""

    files: dict[str, tuple[bytes, dict[str, str]]]
    asked: list[tuple[str, str | None]]
    break_after: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path, asked = self.path.partition("?")[0], self.headers.get("Range")
        self.server.asked.append((path, asked))
        if path not in self.server.files:
            self.send_error(404)
            return
        content, headers = self.server.files[path]
        known = self.headers.get("If-Range") in (None, headers.get("ETag"), headers.get("Last-Modified"))
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and known else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        for name, value in {"Content-Length": str(len(content) - start), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        end = len(content) if self.server.break_after is None else start + self.server.break_after
        self.wfile.write(content[start:end])

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Yield a server without files."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.asked, server.files = [], {}
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
