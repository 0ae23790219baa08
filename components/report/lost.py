"""What a page or an answer cannot say because an artifact is gone or damaged: noted, so that the rest is still said."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from absl import logging

from components import files

T = TypeVar("T")


class Lost:
    """The artifacts that could not be read; `notes` has a line for each, in the order in which they were missed."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def read(self, what: str, uri: str, reader: Callable[[str], T]) -> T | None:
        """Read the artifact with `reader`; None, and a note that calls it `what`, if it cannot be read."""
        if not self.is_there(what, uri):
            return None
        try:
            return reader(uri)
        except Exception as error:  # a damaged file fails in as many ways as there are formats
            logging.info("%s cannot be read", uri, exc_info=True)
            self._note(f"{what}: {uri} is damaged: {files.why(error)}")
            return None

    def is_there(self, what: str, uri: str) -> bool:
        """Whether there is anything at `uri`; noted if not."""
        there = files.exists(uri)
        if not there:
            self._note(f"{what}: {uri} is gone")
        return there

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)
