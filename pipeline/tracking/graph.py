"""The graph of artifacts: which execution read and wrote which, as ML Metadata has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.tracking import metadata
from pipeline.tracking.metadata import Event


@dataclasses.dataclass(frozen=True)
class ArtifactNode:
    """An artifact and the execution that wrote it."""

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
        """Return a parameter of the stage; None if it has none of this name."""
        return metadata.property_value(self.execution, name)

    def inputs(self, key: str) -> list[int]:
        """Return the ids of the artifacts that the stage read under this key."""
        return [artifact_id for artifact_id, read_as in self.read.items() if read_as == key]

    def to_json(self) -> dict[str, Any]:
        artifact = self.artifact
        document = {"id": artifact.id, "key": self.key, "type": artifact.type, "uri": artifact.uri, "stage": self.stage}
        return {**document, "run_id": self.run_id, "read": [{"id": i, "key": key} for i, key in self.read.items()]}


class ArtifactGraph:
    """The graph of all artifacts and executions in ML Metadata, read once in three queries."""

    def __init__(self, store: mlmd.MetadataStore) -> None:
        self._store = store
        # Cached executions and resolvers have no outputs of their own.
        self._executions = {
            execution.id: execution
            for execution in store.get_executions()
            if execution.last_known_state == pb.Execution.COMPLETE and not execution.type.endswith(".Resolver")
        }
        self._made: dict[int, Event] = {}  # by artifact
        self._read: dict[int, dict[int, str]] = {}  # by execution
        self._outputs: dict[int, list[int]] = {}  # by execution
        self._readers: dict[int, list[int]] = {}  # by artifact
        self._contexts: dict[int, list[pb.Context]] = {}  # by execution, as far as they were asked for
        for event in metadata.events_of_executions(store, self._executions):
            if event.is_output:
                self._made.setdefault(event.artifact.id, event)
                self._outputs.setdefault(event.execution_id, []).append(event.artifact.id)
            else:
                self._read.setdefault(event.execution_id, {})[event.artifact.id] = event.key
                self._readers.setdefault(event.artifact.id, []).append(event.execution_id)

    def artifacts(self, kind: str | None = None) -> list[pb.Artifact]:
        """Return every artifact that an execution wrote, or all of a type, sorted by id."""
        return [event.artifact for _, event in sorted(self._made.items()) if kind in (None, event.artifact.type)]

    def node(self, artifact_id: int) -> ArtifactNode:
        """Return the node of an artifact."""
        event = self._made[artifact_id]
        stage = run_id = pipeline = ""
        if event.execution_id not in self._contexts:
            self._contexts[event.execution_id] = list(self._store.get_contexts_by_execution(event.execution_id))
        for context in self._contexts[event.execution_id]:
            if context.type == "node":
                stage = context.name.rsplit(".", 1)[-1]
            elif context.type == "pipeline_run":
                run_id = context.name
            elif context.type == "pipeline":
                pipeline = context.name
        execution, read = self._executions[event.execution_id], self._read.get(event.execution_id, {})
        stage = stage or execution.type  # of what is no stage: Report, Rollback
        return ArtifactNode(event.artifact, event.key, execution, stage, run_id, pipeline, read)

    def sibling(self, node: ArtifactNode, key: str) -> ArtifactNode | None:
        """Return the output of the same execution under another key."""
        siblings = [self._made[artifact_id] for artifact_id in self._outputs.get(node.execution.id, [])]
        return next((self.node(event.artifact.id) for event in siblings if event.key == key), None)

    def made_from(self, artifact_id: int, key: str) -> list[ArtifactNode]:
        """Return the outputs of the executions that read the artifact under this key."""
        readers = [reader for reader in self._readers.get(artifact_id, []) if self._read[reader][artifact_id] == key]
        return [self.node(output) for reader in readers for output in self._outputs.get(reader, [])]

    def ancestors(self, *artifact_ids: int) -> list[ArtifactNode]:
        """Return all ancestors of the artifacts, back to the data, the nearest first."""
        return self._walk(artifact_ids, lambda artifact_id: self._read.get(self._made[artifact_id].execution_id, {}))

    def descendants(self, *artifact_ids: int) -> list[ArtifactNode]:
        """Return all descendants of the artifacts, the nearest first."""
        return self._walk(
            artifact_ids,
            lambda artifact_id: [
                output for reader in self._readers.get(artifact_id, []) for output in self._outputs.get(reader, [])
            ],
        )

    def _walk(self, start: Iterable[int], neighbours: Callable[[int], Iterable[int]]) -> list[ArtifactNode]:
        wave = list(start)
        visited = list(wave)
        while wave:
            reached = {artifact_id for at in wave for artifact_id in neighbours(at) if artifact_id in self._made}
            wave = sorted(reached - set(visited))
            visited += wave
        return [self.node(artifact_id) for artifact_id in visited if artifact_id not in set(start)]
