"""The checks of DataGate, which also run outside TFX."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import apache_beam as beam

from components.contracts import counts
from components.contracts.findings import (
    ANOMALIES,
    CONFLICTS,
    DUPLICATES,
    LEAKS,
    OFF,
    REJECTED,
    STOP,
    Finding,
)
from components.data_gate import anomalies, duplicates, rejected
from components.errors import GateRefused


@dataclasses.dataclass(frozen=True)
class Data:
    """The paths of the artifacts that the gate reads.

    Attributes:
      examples: root of the Examples artifact, with counts.COUNTS_FILE and rejects.REJECTED_FILE.
      files: the TFRecord files of each split.
      statistics: path of the statistics of each split.
      anomalies: path of the anomalies of each split.
      schema: path of the schema.
      previous: path of the statistics of the train split that was accepted before; None where there is none.
    """

    examples: str
    files: Mapping[str, list[str]]
    statistics: Mapping[str, str]
    anomalies: Mapping[str, str]
    schema: str
    previous: str | None = None


def run_checks(
    data: Data, actions: Mapping[str, str], max_rejected: float, pipeline: beam.Pipeline, scratch: str
) -> list[Finding]:
    """Return all findings on the data, in a fixed order.

    Args:
      data: what to judge.
      actions: "stop", "warn" or "off" for each kind of finding.
      max_rejected: fraction of the images that may be left out before it is a finding.
      pipeline: a Beam pipeline that was not used before.
      scratch: a folder that does not exist; removed at the end.
    """
    return [*_by_numbers(data, actions, max_rejected), *_by_pixels(data, actions, pipeline, scratch)]


def _by_numbers(data: Data, actions: Mapping[str, str], max_rejected: float) -> Iterator[Finding]:
    counted = counts.read(data.examples)
    if (action := actions[ANOMALIES]) != OFF:
        yield from anomalies.missing_classes(counted.splits, action)
        yield from anomalies.schema_anomalies(data.anomalies, action)
        yield from anomalies.distances(data.statistics, data.schema, data.previous, action)
    if (action := actions[REJECTED]) != OFF:
        yield from rejected.rejected(data.examples, counted, max_rejected, action)


def _by_pixels(data: Data, actions: Mapping[str, str], pipeline: beam.Pipeline, scratch: str) -> Iterator[Finding]:
    looked_for = {kind: actions[kind] for kind in (LEAKS, CONFLICTS, DUPLICATES) if actions[kind] != OFF}
    if looked_for:
        findings, records = duplicates.find_duplicates(pipeline, data.files, scratch, looked_for)
        counts.check(data.examples, records)
        yield from findings


def raise_on_stop(findings: list[Finding]) -> None:
    """Raise GateRefused if a finding stops the run."""
    stopping = [finding.message for finding in findings if finding.action == STOP]
    if stopping:
        raise GateRefused("\n".join(stopping), [finding.to_json() for finding in findings])
