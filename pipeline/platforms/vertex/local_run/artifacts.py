"""The artifacts of local runs of specs, and the queries of resolvers, as Vertex ML Metadata answers them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from components.errors import UserError

_CONDITION = re.compile(r'(?P<key>[\w.]+)=(?:"(?P<text>[^"]*)"|(?P<word>[\w.+-]+))')
_INPUT = re.compile(r"\{\{\$\.inputs\.artifacts\['(\w+)'\]\.metadata\['(\w+)'\]\}\}")

Artifact = dict[str, Any]  # name, uri, metadata, as in an executor's output; schema_title of its type; state


class Store:
    """A file with the artifacts of all runs in one folder, a line each, the oldest first."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, artifact: Artifact, schema_title: str) -> None:
        """Record an artifact of a task that succeeded."""
        line = json.dumps({**artifact, "schema_title": schema_title, "state": "LIVE"})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def find(self, query: str, inputs: dict[str, Artifact]) -> Artifact | None:
        """Return the latest artifact that a resolver's filter matches.

        Args:
          query: conditions on schema_title, state, name and metadata, joined by AND.
          inputs: of the resolver, for `{{$.inputs.artifacts['KEY'].metadata['NAME']}}`.

        Raises:
          UserError: a condition that is not understood here.
        """

        def value(match: re.Match[str]) -> str:
            return str(inputs.get(match[1], {}).get("metadata", {}).get(match[2], ""))

        conditions = []
        for text in _INPUT.sub(value, query).split(" AND "):
            match = _CONDITION.fullmatch(text.strip())
            if match is None:
                raise UserError(f"the filter {query!r} of a resolver has a condition that is not understood: {text!r}")
            conditions.append((match["key"], match["text"] if match["text"] is not None else match["word"]))
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        artifacts = (json.loads(line) for line in reversed(lines))
        return next((a for a in artifacts if all(_holds(a, *condition) for condition in conditions)), None)


def _holds(artifact: Artifact, key: str, wanted: str) -> bool:
    if not key.startswith("metadata."):
        return str(artifact.get(key)) == wanted
    _, name, kind = key.split(".")
    found = artifact.get("metadata", {}).get(name)
    if kind == "number_value":
        return isinstance(found, (int, float)) and found == float(wanted)
    return found == wanted
