"""The findings of DataGate in accepted data, and the statistics that later data is compared with."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from components.contracts import rejects, stored

STOP, WARN, OFF = "stop", "warn", "off"
DROP = "drop"  # ExampleGen leaves the images out, and the gate stops where it did not
KINDS = ANOMALIES, REJECTED, LEAKS, CONFLICTS, DUPLICATES = (
    "anomalies",
    "rejected",
    "leaks",
    "conflicts",
    "duplicates",
)

LEFT_OUT = (REJECTED, LEAKS, CONFLICTS, DUPLICATES)  # kinds whose images ExampleGen leaves out, or can

KEPT = 100  # examples in FINDINGS_FILE
_FEW = 12  # examples per finding in the result of a run

FINDINGS_FILE = "findings.json"  # a list of Finding
CSV_FILE = "findings.csv"  # of a run, beside its result: COLUMNS, a row an image
COLUMNS = ("split", "class", "path", "check", "action", "message")
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
      summary: the message without examples, for where these are shown beside it; empty in findings of before.
    """

    kind: str
    action: str
    message: str
    count: int
    examples: Sequence[dict[str, Any]] = ()
    summary: str = ""


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


def settings_to_continue(kind: str) -> list[str]:
    """Return the settings with which a run continues without the images of such findings, or in spite of them."""
    if kind in (LEAKS, CONFLICTS, DUPLICATES):
        return [f"gate.{each}={DROP}" for each in sorted({CONFLICTS, kind})]
    return [f"gate.{kind}={WARN}"]


def write_csv(path: str | os.PathLike[str], findings: Iterable[Finding], examples: str | None) -> None:
    """Write a table of the images that the findings concern, to fix them.

    Args:
      path: of the file.
      findings: with up to KEPT examples each.
      examples: the artifact of the images; of those that it left out, all are written.
    """
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for finding in findings:
            table.writerows(row for example in _examples(finding, examples) for row in _rows(finding, example))


def _examples(finding: Finding, artifact: str | None) -> Iterable[Mapping[str, Any]]:
    """Return the examples of a finding, of rejected images all; one without an image where there are none."""
    if finding.kind == REJECTED and artifact:
        copies = any(example.get("same_as") is not None for example in finding.examples)
        return (row.to_json() for row in rejects.read(artifact) if (row.same_as is not None) == copies)
    return finding.examples or [{}]


def _rows(finding: Finding, example: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of an example: one, or one for each image with the same pixels."""
    check = finding.kind, finding.action
    if images := example.get("pictures"):
        for image in images:
            same = ", ".join(other["source"] for other in images if other is not image)
            message = f"exactly the same pixels as {same}" if same else finding.message
            yield image["split"], image["class_name"], image["source"], *check, message
        return
    message = example.get("reason", finding.message)
    if example.get("same_as") is not None:
        message += f": {example['same_as']}"
    yield (
        example.get("split", example.get("where", "")),
        example.get("class_name") or "",
        example.get("source", ""),
        *check,
        message,
    )
