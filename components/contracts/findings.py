"""The findings of DataGate in accepted data, and the statistics that later data is compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from components.contracts import stored

STOP, WARN, OFF = "stop", "warn", "off"
DROP = "drop"  # ExampleGen leaves the images out, and the gate stops where it did not
KINDS = ANOMALIES, REJECTED, LEAKS, CONFLICTS, DUPLICATES = (
    "anomalies",
    "rejected",
    "leaks",
    "conflicts",
    "duplicates",
)

KEPT = 100  # examples in FINDINGS_FILE
_FEW = 12  # examples per finding in the result of a run

FINDINGS_FILE = "findings.json"  # a list of Finding
TRAIN_STATISTICS_FILE = "train_statistics.pb"  # of the accepted data, as contracts/statistics.py reads it


@dataclasses.dataclass(frozen=True)
class Finding:
    """One reason to distrust the data.

    Attributes:
      kind: one of KINDS.
      action: "stop" or "warn".
      message: one line for people: what was found, where, with examples, and what to do.
      count: images concerned; of an anomaly, 1.
      examples: up to KEPT examples with unescaped names; the keys depend on the kind.
    """

    kind: str
    action: str
    message: str
    count: int
    examples: Sequence[dict[str, Any]] = ()


def read(folder: str) -> list[Finding]:
    """Read the findings in the artifact at `folder`."""
    return stored.read(list[Finding], f"{folder}/{FINDINGS_FILE}")


def write(folder: str, findings: Sequence[Finding]) -> None:
    """Write the findings into the artifact at `folder`."""
    stored.write(list(findings), f"{folder}/{FINDINGS_FILE}")


def with_few_examples(findings: Iterable[Mapping[str, Any] | Finding]) -> list[Finding]:
    """Return the findings, or the JSON of findings, with a few examples each, as the result of a run stores them."""
    parsed = [finding if isinstance(finding, Finding) else Finding(**finding) for finding in findings]
    return [dataclasses.replace(finding, examples=finding.examples[:_FEW]) for finding in parsed]
