"""Who made what from what: the artifacts that executions read and wrote, in ML Metadata."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

READ = (pb.Event.INPUT, pb.Event.DECLARED_INPUT, pb.Event.INTERNAL_INPUT)
MADE = (pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT, pb.Event.INTERNAL_OUTPUT)


@dataclasses.dataclass(frozen=True)
class Use:
    """That an execution read or made an artifact."""

    execution_id: int
    key: str  # the name of the input or output
    made: bool
    artifact: pb.Artifact


def uses(store: mlmd.MetadataStore, execution_ids: Iterable[int]) -> list[Use]:
    """What the executions read and made, in the order of the artifacts."""
    return _uses(store, store.get_events_by_execution_ids(list(execution_ids)))


def users(store: mlmd.MetadataStore, artifact_ids: Iterable[int]) -> list[Use]:
    """The executions that read or made the artifacts."""
    return _uses(store, store.get_events_by_artifact_ids(list(artifact_ids)))


def _uses(store: mlmd.MetadataStore, events: Iterable[pb.Event]) -> list[Use]:
    events = [event for event in events if event.type in (*READ, *MADE)]
    artifacts = {a.id: a for a in store.get_artifacts_by_id(sorted({event.artifact_id for event in events}))}
    found = {
        (event.execution_id, event.artifact_id, event.type in MADE): Use(
            event.execution_id,
            event.path.steps[0].key if event.path.steps else "",
            event.type in MADE,
            artifacts[event.artifact_id],
        )
        for event in events
    }
    return [found[key] for key in sorted(found)]
