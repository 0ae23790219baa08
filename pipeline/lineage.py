"""`lineage`: who made what from what; the artifacts that executions read and wrote, in ML Metadata."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from components.errors import UserError
from pipeline import metadata, run_dir
from pipeline.config import Config

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


@dataclasses.dataclass(frozen=True)
class Link:
    """An artifact, and the stage of the run that made it out of others."""

    artifact: pb.Artifact
    key: str
    stage: str
    run_id: str
    read: dict[int, str]  # the key of each artifact that the stage read, by the artifact's id

    def to_json(self) -> dict[str, Any]:
        one = self.artifact
        made = {"id": one.id, "key": self.key, "type": one.type, "uri": one.uri, "stage": self.stage}
        return {**made, "run_id": self.run_id, "read": [{"id": i, "key": key} for i, key in self.read.items()]}


class Graph:
    """All that ML Metadata knows of who made what. Reads the whole store once, by three questions."""

    def __init__(self, store: mlmd.MetadataStore) -> None:
        self._store = store
        # Cached executions made nothing, and resolvers only looked.
        executions = [
            execution.id
            for execution in store.get_executions()
            if execution.last_known_state == pb.Execution.COMPLETE and not execution.type.endswith(".Resolver")
        ]
        self._made: dict[int, Use] = {}
        self._read: dict[int, dict[int, str]] = {}  # by execution
        self._outputs: dict[int, list[int]] = {}  # by execution
        for use in uses(store, executions):
            if use.made:
                self._made.setdefault(use.artifact.id, use)
                self._outputs.setdefault(use.execution_id, []).append(use.artifact.id)
            else:
                self._read.setdefault(use.execution_id, {})[use.artifact.id] = use.key

    def made(self) -> list[pb.Artifact]:
        """Everything that was made, in that order."""
        return [use.artifact for _, use in sorted(self._made.items())]

    def link(self, artifact_id: int) -> Link:
        use = self._made[artifact_id]
        stage = run_id = ""
        for context in self._store.get_contexts_by_execution(use.execution_id):
            if context.type == "node":
                stage = context.name.rsplit(".", 1)[-1]
            elif context.type == "pipeline_run":
                run_id = context.name
        return Link(use.artifact, use.key, stage, run_id, self._read.get(use.execution_id, {}))

    def back(self, artifact_id: int) -> list[Link]:
        """What the artifact was made from, back to the data: the nearest first."""
        return self._walk(artifact_id, lambda one: self._read.get(self._made[one].execution_id, {}))

    def forward(self, artifact_id: int) -> list[Link]:
        """What was made from the artifact, up to every model: the nearest first."""
        readers: dict[int, list[int]] = {}
        for execution, read in self._read.items():
            for one in read:
                readers.setdefault(one, []).append(execution)
        return self._walk(
            artifact_id,
            lambda one: [made for execution in readers.get(one, []) for made in self._outputs.get(execution, [])],
        )

    def _walk(self, start: int, neighbours: Callable[[int], Iterable[int]]) -> list[Link]:
        seen, wave = [start], [start]
        while wave:
            found = {one for at in wave for one in neighbours(at) if one in self._made}
            wave = sorted(found - set(seen))
            seen += wave
        return [self.link(one) for one in seen[1:]]


def show(config: Config, what: str | None, as_json: bool) -> int:
    """Print where a pushed version, a run's result or an artifact comes from, and what came of it."""
    store = metadata.open_store(config) if metadata.exists(config) else None
    graph = Graph(store) if store else None
    start = _find(store, graph, config, what) if graph else None
    if graph is None or start is None:
        named = f"{what!r} in {config.run_dir}" if what else f"model pushed yet in {config.run_dir}"
        raise UserError(f"there is no {named}; name a pushed version, a run or an artifact as #12")
    link, back, forward = graph.link(start), graph.back(start), graph.forward(start)
    if as_json:
        parts = {"back": [one.to_json() for one in back], "forward": [one.to_json() for one in forward]}
        print(json.dumps({"artifact": link.to_json(), **parts}, indent=2))
        return 0
    _print_links(_title(link), [link])
    _print_links("made from", back)
    _print_links("and what came of it", forward)
    return 0


def _find(store: mlmd.MetadataStore, graph: Graph, config: Config, what: str | None) -> int | None:
    """The id of the artifact that is meant."""
    made = graph.made()
    pushed = [one for one in made if metadata.property_value(one, "pushed") == 1]
    if what is None:
        return pushed[-1].id if pushed else None
    if what.startswith("#"):
        return next((one.id for one in made if str(one.id) == what[1:]), None)
    if what.isdigit():
        own = [one for one in pushed if str(metadata.property_value(one, "pushed_version")) == what]
        return own[-1].id if own else None
    run = metadata.find_run(store, run_dir.find_run(config, what).name)
    outputs = [stage.outputs for stage in metadata.stages(store, run).values()] if run else []
    known = {one.id for one in made}
    ids = [one.id for by_key in outputs for listed in by_key.values() for one in listed if one.id in known]
    return ids[-1] if ids else None


def _title(link: Link) -> str:
    version = metadata.property_value(link.artifact, "pushed_version")
    return f"version {version}" if version is not None else link.key


def _print_links(title: str, links: list[Link]) -> None:
    if not links:
        return
    print(title)
    for link in links:
        read = ", ".join(f"{key} #{one}" for one, key in link.read.items())
        number, source = f"#{link.artifact.id}", f"from {read}" if read else ""
        print(f"  {number:>6} {link.key:<16} {link.stage:<17} {link.run_id:<20} {source}".rstrip())
        print(f"         {link.artifact.uri}")
