"""What the gate found, in words: one line a finding, safe to print whatever a file or a class is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

STOP, WARN, OFF = "stop", "warn", "off"
KINDS = ANOMALIES, REJECTED, LEAKS, CONFLICTS, DUPLICATES = (
    "anomalies",
    "rejected",
    "leaks",
    "conflicts",
    "duplicates",
)

SHOWN = 5  # examples in a message
KEPT = 100  # examples in findings.json

# Files of the `findings` artifact.
FINDINGS_FILE = "findings.json"  # a list of Finding.to_json()
TRAIN_STATISTICS_FILE = "train_statistics.pb"  # of the accepted data: the next data is compared with it


@dataclasses.dataclass(frozen=True)
class Finding:
    """One reason to distrust the data.

    Attributes:
      kind: one of KINDS.
      action: "stop" or "warn".
      message: one line for people: what was found, where, with examples, and what to do.
      count: pictures concerned; of an anomaly, 1.
      examples: up to KEPT of what was found, names as they are; the keys depend on the kind.
    """

    kind: str
    action: str
    message: str
    count: int
    examples: Sequence[dict[str, Any]] = ()

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def found(
    kind: str, action: str, what: str, advice: str, count: int, examples: Sequence[dict[str, Any]] = ()
) -> Finding:
    """A finding whose message is `what`, a sentence, then `advice`, a sentence without its full stop."""
    way_out = f", or set gate.{kind}=warn" if action == STOP else ""
    return Finding(kind, action, f"{what} {advice}{way_out}.", count, examples)


def quote(name: str) -> str:
    """The name in quotes, on one line: control, invisible and direction-changing characters are escaped."""
    return repr(name if len(name) <= 200 else f"{name[:80]}…{name[-100:]}")


def one_line(text: str) -> str:
    """The text of a library, which may hold names, with the same characters escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text.strip())


def for_example(words: Iterable[str]) -> str:
    """ ", e.g. a; b", or nothing where there is no example."""
    shown = [word for word, _ in zip(words, range(SHOWN))]
    return f", e.g. {'; '.join(shown)}" if shown else ""


def pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"
