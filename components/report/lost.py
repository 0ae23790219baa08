"""Artifacts that are missing or damaged: noted, so that a page or an answer shows everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from absl import logging

from components import files

T = TypeVar("T")


class Lost:
    """The artifacts that could not be read; `notes` has a line for each, in the order of the attempts."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def read(self, name: str, uri: str, reader: Callable[[str], T]) -> T | None:
        """Read the artifact with `reader`; if it cannot be read, return None and add a note that calls it `name`."""
        if not self.is_there(name, uri):
            return None
        try:
            return reader(uri)
        except Exception as error:  # the kind of error depends on the format
            logging.info("%s cannot be read", uri, exc_info=True)
            self._note(f"{name}: {uri} is damaged: {files.error_reason(error)}")
            return None

    def is_there(self, name: str, uri: str) -> bool:
        """Return True if there is anything at `uri`; note it if not."""
        present = files.exists(uri)
        if not present:
            self._note(f"{name}: {uri} is gone")
        return present

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)
