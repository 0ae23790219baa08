"""The images that ExampleGen rejected, one line per image, in the Examples artifact."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from components import files

REJECTED_FILE = "rejected.jsonl"  # at the root of the artifact: a Rejection a line


class Rejection(NamedTuple):
    """A rejected image."""

    source: str
    reason: str
    class_name: str | None
    same_as: str | None = None  # the source of an image with the same pixels, of an image that is left out for that

    def to_json(self) -> dict[str, str | None]:
        """Return the fields of its line; `same_as` only where it is set."""
        return {name: value for name, value in self._asdict().items() if name != "same_as" or value is not None}


class Summary(NamedTuple):
    """The rejected images in the size of a message or a page."""

    total: int
    reasons: list[tuple[str, int]]  # the most frequent first, and equals by name
    first: list[Rejection]


def write(examples: str, rejections: Iterable[Rejection]) -> None:
    """Write them into the artifact at `examples`, sorted by source."""
    rows = sorted(rejections, key=lambda row: (row.source, row.reason))
    text = "".join(json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in rows)
    files.write(path(examples), text)


def read(examples: str) -> Iterator[Rejection]:
    """Yield the rejections of the artifact at `examples`, read as they are needed."""
    with files.open_binary(path(examples)) as file:
        for line in file:
            row = json.loads(line)
            yield Rejection(row["source"], row["reason"], row.get("class_name"), row.get("same_as"))


def summarise(rows: Iterable[Rejection], limit: int) -> Summary:
    """Count the reasons, and keep the first `limit` rows."""
    reasons: collections.Counter[str] = collections.Counter()
    first: list[Rejection] = []
    for row in rows:
        reasons[row.reason] += 1
        if len(first) < limit:
            first.append(row)
    return Summary(reasons.total(), sorted(reasons.items(), key=lambda item: (-item[1], item[0])), first)


def path(examples: str) -> str:
    """Return the path of the file in the artifact at `examples`."""
    return f"{examples}/{REJECTED_FILE}"
