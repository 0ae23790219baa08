"""Who made what from what: the artifacts that executions read and wrote, in ML Metadata."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.tracking import metadata
from pipeline.tracking.metadata import MADE, READ


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


@dataclasses.dataclass(frozen=True)
class Link:
    """An artifact, and the stage of the run that made it out of others."""

    artifact: pb.Artifact
    key: str
    execution: pb.Execution
    stage: str
    run_id: str
    pipeline: str
    read: dict[int, str]  # the key of each artifact that the stage read, by the artifact's id

    @property
    def id(self) -> int:
        return int(self.artifact.id)

    def parameter(self, name: str) -> Any:
        """Of the stage; None where it has none of this name."""
        return metadata.property_value(self.execution, name)

    def inputs(self, key: str) -> list[int]:
        """The ids of the artifacts that the stage read under this key."""
        return [one for one, read_as in self.read.items() if read_as == key]

    def to_json(self) -> dict[str, Any]:
        one = self.artifact
        made = {"id": one.id, "key": self.key, "type": one.type, "uri": one.uri, "stage": self.stage}
        return {**made, "run_id": self.run_id, "read": [{"id": i, "key": key} for i, key in self.read.items()]}


class Graph:
    """All that ML Metadata knows of who made what. Reads the whole store once, by three questions."""

    def __init__(self, store: mlmd.MetadataStore) -> None:
        self._store = store
        # Cached executions made nothing, and resolvers only looked.
        self._executions = {
            execution.id: execution
            for execution in store.get_executions()
            if execution.last_known_state == pb.Execution.COMPLETE and not execution.type.endswith(".Resolver")
        }
        self._made: dict[int, Use] = {}
        self._read: dict[int, dict[int, str]] = {}  # by execution
        self._outputs: dict[int, list[int]] = {}  # by execution
        self._readers: dict[int, list[int]] = {}  # by artifact
        self._contexts: dict[int, list[pb.Context]] = {}  # by execution, as far as they were asked for
        for use in uses(store, self._executions):
            if use.made:
                self._made.setdefault(use.artifact.id, use)
                self._outputs.setdefault(use.execution_id, []).append(use.artifact.id)
            else:
                self._read.setdefault(use.execution_id, {})[use.artifact.id] = use.key
                self._readers.setdefault(use.artifact.id, []).append(use.execution_id)

    def made(self, kind: str | None = None) -> list[pb.Artifact]:
        """Everything that was made, or all of a type, in that order."""
        return [use.artifact for _, use in sorted(self._made.items()) if kind in (None, use.artifact.type)]

    def link(self, artifact_id: int) -> Link:
        use = self._made[artifact_id]
        stage = run_id = pipeline = ""
        if use.execution_id not in self._contexts:
            self._contexts[use.execution_id] = list(self._store.get_contexts_by_execution(use.execution_id))
        for context in self._contexts[use.execution_id]:
            if context.type == "node":
                stage = context.name.rsplit(".", 1)[-1]
            elif context.type == "pipeline_run":
                run_id = context.name
            elif context.type == "pipeline":
                pipeline = context.name
        stage = stage or self._executions[use.execution_id].type  # of what is no stage: Report, Rollback
        execution, read = self._executions[use.execution_id], self._read.get(use.execution_id, {})
        return Link(use.artifact, use.key, execution, stage, run_id, pipeline, read)

    def beside(self, link: Link, key: str) -> Link | None:
        """What the same execution made under another key."""
        made = [self._made[one] for one in self._outputs.get(link.execution.id, [])]
        return next((self.link(use.artifact.id) for use in made if use.key == key), None)

    def read_by(self, artifact_id: int, key: str) -> list[Link]:
        """What was made by the executions that read the artifact under this key."""
        readers = [one for one in self._readers.get(artifact_id, []) if self._read[one][artifact_id] == key]
        return [self.link(made) for reader in readers for made in self._outputs.get(reader, [])]

    def back(self, *artifact_ids: int) -> list[Link]:
        """What the artifacts were made from, back to the data: the nearest first."""
        return self._walk(artifact_ids, lambda one: self._read.get(self._made[one].execution_id, {}))

    def forward(self, *artifact_ids: int) -> list[Link]:
        """What was made from the artifacts, up to every model: the nearest first."""
        return self._walk(
            artifact_ids,
            lambda one: [made for by in self._readers.get(one, []) for made in self._outputs.get(by, [])],
        )

    def _walk(self, start: Iterable[int], neighbours: Callable[[int], Iterable[int]]) -> list[Link]:
        wave = list(start)
        seen = list(wave)
        while wave:
            found = {one for at in wave for one in neighbours(at) if one in self._made}
            wave = sorted(found - set(seen))
            seen += wave
        return [self.link(one) for one in seen if one not in set(start)]
