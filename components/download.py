"""Download of a file: resumed after a break, verified where its hash is known, and visible only when complete."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO, NamedTuple

from components import files
from components.errors import UserError

Progress = Callable[[int, int], None]  # (bytes so far, bytes in all; 0 where unknown)

_BLOCK = 1 << 20
_ATTEMPTS = 5  # without a new byte, before giving up
_TIMEOUT = 30.0  # seconds without an answer


class Published(NamedTuple):
    """A file that others publish."""

    url: str
    sha256: str = ""  # empty where it is not known
    md5: str = ""  # where whoever publishes it gives no SHA-256
    unpacked: tuple[tuple[str, str], ...] = ()  # (name, MD5) of the files that come of it

    @property
    def verified(self) -> bool:
        """Return whether a hash is known."""
        return bool(self.sha256 or self.md5)

    def difference(self, path: str) -> str:
        """Return which hash of the file at `path` is another than that of the published one; empty if none is."""
        if self.sha256:
            return "its SHA-256 differs" if files.sha256(path) != self.sha256 else ""
        return "its MD5 differs" if self.md5 and files.md5(path) != self.md5 else ""

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[-1]

    @property
    def title(self) -> str:
        """Return the URL for messages: what follows a `?` may be a secret."""
        return self.url.partition("?")[0]


def verify(path: str, published: Published) -> None:
    """Raise UserError unless the file at `path` is the published one, or the folder holds what comes of it."""
    if os.path.isdir(path):
        for name, md5 in published.unpacked:
            member = os.path.join(path, name)
            if not os.path.isfile(member) or hashlib.md5(Path(member).read_bytes()).hexdigest() != md5:
                raise UserError(
                    f"{member}: not as in the published {published.file_name} (it is missing, or its MD5 differs). "
                    f"Delete {path} to download it again, or give the path of your own archive as the data."
                )
    elif difference := published.difference(path):
        raise UserError(
            f"{path}: not the published {published.file_name} ({difference}): damaged, or another file. "
            f"Delete it to download it again, or give the path of your own."
        )


def download(published: Published, target: str, progress: Progress | None = None, pause: float = 1.0) -> None:
    """Download the published file to `target`, by way of `<target>.part`, which a later call resumes.

    Where its hash is not known, the download is resumed only if the server tells by a validator (ETag, Last-Modified)
    that it still has the same file; it is kept in `<target>.part.validator`.

    `pause` is in seconds, before the second attempt; it doubles each time.

    Raises:
      UserError: there is no network, the server refuses, the disk refuses, it is a web page, or not the published file.
    """
    part = target + ".part"
    validator = None if published.verified else Path(part + ".validator")
    try:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        with open(part, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # another run may be downloading the same
            if os.path.exists(target):
                return
            _fetch(published, file, validator, progress, pause)
            if difference := published.difference(part):
                os.unlink(part)
                raise UserError(
                    f"{published.title}: what was downloaded is not the published file ({difference}). "
                    f"Try again; if it stays so, download it elsewhere and put it at {target}"
                )
            os.replace(part, target)
            if validator:
                validator.unlink(missing_ok=True)
    except urllib.error.HTTPError as error:
        raise UserError(
            f"cannot download {published.title}: the server answers {error.code} {error.reason}. "
            f"Check the address; or download it elsewhere and put it at {target}"
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"cannot download {published.title} ({reason}). "
            f"Without a network: download it elsewhere and put it at {target}"
        ) from error
    except OSError as error:
        raise UserError(
            f"cannot write {part} ({error.strerror or error}). Free some space or set data.cache_dir."
        ) from error


def _fetch(
    published: Published, file: IO[bytes], validator: Path | None, progress: Progress | None, pause: float
) -> None:
    """Append the missing bytes of the file, retrying as long as an attempt makes progress."""
    failures = most = 0
    while True:
        if validator and not validator.exists():
            file.truncate(0)
        before = file.seek(0, os.SEEK_END)
        try:
            if _fetch_rest(published, file, before, validator, progress):
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise
            last_error: Exception = error
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            last_error = error
        else:
            last_error = ConnectionError("the connection broke off")
        size = file.seek(0, os.SEEK_END)
        failures = failures + 1 if size <= max(most, before) else 1
        most = max(most, size)
        unreachable = before == 0 and isinstance(getattr(last_error, "reason", None), OSError)
        if unreachable or failures >= _ATTEMPTS:
            raise last_error
        time.sleep(pause * 2 ** (failures - 1))


def _fetch_rest(
    published: Published, file: IO[bytes], start: int, validator: Path | None, progress: Progress | None
) -> bool:
    """Append the bytes from `start` on; return True if the file is complete then."""
    headers = {"User-Agent": "image-classification-pipeline", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator.read_text()
    try:
        response = urllib.request.urlopen(urllib.request.Request(published.url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # Nothing follows `start`: complete, or another file, as its hash or its size shows.
        if published.verified or error.headers.get("Content-Range") == f"bytes */{start}":
            return True
        file.truncate(0)
        return False
    with response:
        if response.headers.get_content_type() == "text/html":
            raise UserError(
                f"{published.title}: the server answers with a web page, not with a file. Give the address of the file "
                "itself, as the page's download button has it; or download it, and give its path."
            )
        if start and response.status != 206:  # the server sends it from the beginning
            file.truncate(0)
            start = 0
        if validator and not start:
            _keep_validator(response.headers, validator)
        length = int(response.headers.get("Content-Length") or 0)
        total = start + length if length else 0
        received = start
        while block := response.read(_BLOCK):
            file.write(block)
            received += len(block)
            if progress:
                progress(received, total)
        file.flush()
        return received == total or not total


def _keep_validator(headers: Message, validator: Path) -> None:
    """Keep what tells by If-Range that a file is still the same: a strong ETag, or else when it was modified."""
    etag = headers.get("ETag", "")
    text = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
    if text:
        validator.write_text(text)
    else:
        validator.unlink(missing_ok=True)
