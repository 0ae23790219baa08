"""The database server that `metadata.url` names, and where its password may be kept: never in what a run writes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from components.errors import UserError

FORM = "mysql://USER:PASSWORD@HOST:PORT/DATABASE, postgresql://…, env:NAME or file:PATH"
MASK = "***"  # shown in place of a password

_SCHEMES = ("mysql", "postgresql")


def masked(text: str) -> str:
    """Return `text` with the password of any URL masked; if in doubt, more is masked."""
    return re.sub(r"(://[^:/@\s]*):[^\n]*@", rf"\1:{MASK}@", text)


def has_password(value: str) -> bool:
    """Return True if part of the URL is masked when it is shown."""
    return masked(value) != value


def is_reference(value: str) -> bool:
    """Return True if the URL is stored in an environment variable or a file."""
    return value.startswith(("env:", "file:"))


def split(url: str) -> SplitResult:
    """Return the parts of a URL.

    Raises:
      ValueError: it is none of a database; the message does not repeat it.
    """
    try:
        parts = urlsplit(url)
        is_complete = (
            parts.scheme in _SCHEMES
            and parts.hostname
            and re.fullmatch("/[^/@]+/?", parts.path)
            and (parts.port or True)
        )
    except ValueError:  # the port is not a number
        is_complete = None
    if not is_complete or parts.query or parts.fragment:
        raise ValueError(
            f"write it as {FORM}; characters of the password such as @ / : # ? are percent-encoded, "
            "and nothing follows the database"
        )
    if unquote(parts.password or "") == MASK:
        raise ValueError(
            f"its password was masked here ({MASK}); give the whole URL with --set metadata.url=env:NAME or file:PATH"
        )
    return parts


def fetch(value: str) -> SplitResult:
    """Return the parts of the URL that `metadata.url` is, or refers to.

    Raises:
      UserError: there is no such variable or file, or no URL in it.
    """
    kind, _, where = value.partition(":")
    url = value
    if kind == "env":
        url = os.environ.get(where, "").strip()
        if not url:
            raise UserError(f"metadata.url = {value}: the environment variable {where} is not set")
    elif kind == "file":
        try:
            url = Path(where).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise UserError(f"metadata.url = {value}: the file cannot be read: {why}") from None
        if not url:
            raise UserError(f"metadata.url = {value}: the file is empty")
    try:
        return split(url)
    except ValueError as error:
        setting = f" = {value}" if is_reference(value) else ""
        raise UserError(f"metadata.url{setting}: {error}") from None
