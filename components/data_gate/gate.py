"""The checks of DataGate, which also run outside TFX."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import apache_beam as beam

from components.contracts import counts
from components.contracts.features import SPLITS
from components.contracts.findings import ANOMALIES, CONFLICTS, DUPLICATES, LEAKS, OFF, REJECTED, STOP, Finding
from components.data_gate import anomalies, duplicates, rejected
from components.errors import GateRefused


def run_checks(
    uris: Mapping[str, str],
    actions: Mapping[str, str],
    limits: rejected.Limits,
    pipeline: beam.Pipeline,
    scratch: str,
) -> list[Finding]:
    """Return all findings on the data, in a fixed order.

    Args:
      uris: of the inputs of the stage DataGate, by their keys; without `previous` where no data was accepted before.
      actions: "stop", "warn" or "off" for each kind of finding; "drop" where ExampleGen left the images out.
      limits: of the images that were left out.
      pipeline: a Beam pipeline that was not used before.
      scratch: a folder that does not exist; removed at the end.
    """
    return [*_by_numbers(uris, actions, limits), *_by_pixels(uris["examples"], actions, pipeline, scratch)]


def _by_numbers(uris: Mapping[str, str], actions: Mapping[str, str], limits: rejected.Limits) -> Iterator[Finding]:
    counted = counts.read(uris["examples"])
    if (action := actions[ANOMALIES]) != OFF:
        yield from anomalies.missing_classes(counted.splits, action)
        yield from anomalies.schema_anomalies(uris["anomalies"], action)
        yield from anomalies.distances(uris["statistics"], uris["schema"], uris.get("previous"), action)
    if (action := actions[REJECTED]) != OFF:
        yield from rejected.rejected(uris["examples"], counted, limits, action)


def _by_pixels(examples: str, actions: Mapping[str, str], pipeline: beam.Pipeline, scratch: str) -> Iterator[Finding]:
    looked_for = {kind: actions[kind] for kind in (LEAKS, CONFLICTS, DUPLICATES) if actions[kind] != OFF}
    if looked_for:
        files = {split: counts.split_files(examples, split) for split in SPLITS}
        findings, records = duplicates.find_duplicates(pipeline, files, scratch, looked_for)
        counts.check(examples, records)
        yield from findings


def raise_on_stop(findings: list[Finding]) -> None:
    """Raise GateRefused if a finding stops the run."""
    stopping = [finding.message for finding in findings if finding.action == STOP]
    if stopping:
        raise GateRefused("\n".join(stopping), [dataclasses.asdict(finding) for finding in findings])
