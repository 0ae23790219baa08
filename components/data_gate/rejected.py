"""Pictures that ExampleGen had to leave out."""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from tfx.dsl.io import fileio

from components import features as f
from components.data_gate.findings import KEPT, REJECTED, Finding, for_example, found, one_line, quote

_REASONS = 3  # named in the message


def read_counts(examples_uri: str) -> dict[str, Any]:
    """What ExampleGen counted: see features.COUNTS_FILE."""
    with fileio.open(os.path.join(examples_uri, f.COUNTS_FILE), "rb") as file:
        return json.loads(file.read())


def rejected(examples_uri: str, counts: Mapping[str, Any], max_rejected: float, action: str) -> Iterator[Finding]:
    """A finding where more than the fraction `max_rejected` of all pictures was left out."""
    count = counts["rejected"]
    total = count + sum(sum(classes.values()) for classes in counts["splits"].values())
    if not count or count / total <= max_rejected:
        return
    path = os.path.join(examples_uri, f.REJECTED_FILE)
    reasons: collections.Counter[str] = collections.Counter()
    examples: list[dict[str, Any]] = []
    with fileio.open(path, "rb") as file:
        for line in file:
            row = json.loads(line)
            reasons[row["reason"]] += 1
            if len(examples) < KEPT:
                examples.append(row)
    # The most frequent first, and equals by name, so that the same data gives the same message.
    common = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    why = ", ".join(f"{n:,} {one_line(reason)}" for reason, n in common[:_REASONS])
    more = ", and more" if len(common) > _REASONS else ""
    shown = for_example(
        quote(row["source"]) + (f" ({one_line(row['reason'])})" if len(reasons) > 1 else "") for row in examples
    )
    what = (
        f"{count:,} of {total:,} pictures ({count / total:.1%}) cannot be used, more than gate.max_rejected "
        f"({max_rejected:.1%}) allows: {why}{more}{shown}. All are listed in {path}."
    )
    yield found(REJECTED, action, what, "Repair or remove them, or raise gate.max_rejected", count, examples)
