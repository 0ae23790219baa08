"""Questions to ML Metadata: the runs, their stages and artifacts. Needs ml_metadata alone, and so answers at once."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

os.environ.setdefault("GLOG_minloglevel", "3")  # ml-metadata logs every connection; its errors are also raised

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from components.errors import Damaged, UserError
from pipeline.config import Config
from pipeline.runs import faults
from pipeline.runs.run_dir import SQLITE_FILE
from pipeline.tracking import server_url

Execution: TypeAlias = pb.Execution
Artifact: TypeAlias = pb.Artifact

COMPLETE = (Artifact.LIVE, Artifact.MARKED_FOR_DELETION, Artifact.DELETED)  # the states of complete outputs

_RUN = "pipeline_run"  # TFX's name of the type of context that a run is

# The mark of an execution that found foreign files in its output folders and wrote nothing.
OUTPUTS_OF_OTHERS = "outputs_of_others"

# The events of an artifact and an execution.
READ = (pb.Event.INPUT, pb.Event.DECLARED_INPUT, pb.Event.INTERNAL_INPUT)
MADE = (pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT, pb.Event.INTERNAL_OUTPUT)


def connection(config: Config, password: bool = True) -> pb.ConnectionConfig:
    """Return the connection to ML Metadata: SQLite in the run directory, or the server of `metadata.url`.

    Args:
      password: whether it is part of the answer; without it the answer may be logged and stored.

    Raises:
      UserError: a URL that is none of a server, or cannot be fetched from where it is kept.
    """
    result = pb.ConnectionConfig()
    if config.metadata.url is None:
        result.sqlite.filename_uri = str(Path(config.run_dir).resolve() / SQLITE_FILE)
        result.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        return result
    parts = server_url.fetch(config.metadata.url.get_secret_value())
    host, database, user = parts.hostname or "", parts.path.strip("/"), unquote(parts.username or "")
    if parts.scheme == "mysql":
        mysql = result.mysql
        mysql.host, mysql.port, mysql.database, mysql.user = host, parts.port or 3306, database, user
    else:
        pg = result.postgresql
        pg.host, pg.port, pg.dbname, pg.user = host, str(parts.port or 5432), database, user
    if password:
        (result.mysql if parts.scheme == "mysql" else result.postgresql).password = unquote(parts.password or "")
    return result


def exists(config: Config) -> bool:
    """Return True if there is a store; a server counts as one."""
    if config.metadata.url is not None:
        return True
    file = Path(config.run_dir) / SQLITE_FILE
    return file.exists() and file.stat().st_size > 0


# The servers' errors if two processes create the tables of an empty database; the later one must retry.
_MADE_TWICE = re.compile("concurrent connection|duplicate key|already exists|deadlock", re.IGNORECASE)
_TRIES, _PAUSE = 40, 0.25  # seconds between tries


def open_store(config: Config) -> mlmd.MetadataStore:
    """Return the store, created if there is none. UserError if the server does not answer."""
    for tries_left in reversed(range(_TRIES)):
        try:
            return mlmd.MetadataStore(connection(config))
        except (mlmd.errors.StatusError, RuntimeError) as error:
            if tries_left and _MADE_TWICE.search(str(error)):
                time.sleep(_PAUSE)
                continue
            if not config.metadata.url and (message := faults.in_words(error, config)):
                raise Damaged(message) from None
            where = "metadata.url" if config.metadata.url else f"{config.run_dir}/{SQLITE_FILE}"
            why = " ".join(str(error).split())
            for secret in filter(None, (connection(config).mysql.password, connection(config).postgresql.password)):
                why = why.replace(secret, server_url.MASK)
            if "mysql_real_connect failed" in why or "connection pointer is NULL" in why:  # and no more is told
                why = (
                    "no connection. Check that the server runs, the host and port, the user and password, and on MySQL "
                    "that the user is identified by mysql_native_password, the one way that the client knows"
                )
            raise UserError(f"cannot open ML Metadata ({where}): {why}") from None
    raise AssertionError("unreachable")


def known_store(config: Config) -> mlmd.MetadataStore:
    """Return the store of the runs.

    Raises:
      UserError: there is none.
    """
    if not exists(config):
        raise UserError(
            f"no runs in {config.run_dir}; make the first with `image-pipeline run`, or name the server of its ML "
            "Metadata with --set metadata.url=…"
        )
    return open_store(config)


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage of a run."""

    name: str
    execution: Execution
    outputs: dict[str, list[Artifact]]  # by output key

    @property
    def state(self) -> str:
        """Return `complete`, `cached`, `failed`, `canceled` or `running`."""
        return str(Execution.State.Name(self.execution.last_known_state)).lower()


@dataclasses.dataclass(frozen=True)
class Run:
    id: str
    pipeline: str
    context_id: int


def runs(store: mlmd.MetadataStore) -> list[Run]:
    """Return every run, the newest first."""
    names = {
        context.id: pipeline.name
        for pipeline in store.get_contexts_by_type("pipeline")  # a question for each of them, not for each run
        for context in store.get_children_contexts_by_context(pipeline.id)
    }
    contexts = store.get_contexts_by_type(_RUN)
    every = [Run(context.name, names.get(context.id, ""), context.id) for context in contexts]
    return sorted(every, key=lambda run: run.context_id, reverse=True)


def own_runs(config: Config) -> Iterator[tuple[Run, dict[str, Stage]]]:
    """Yield the runs of the configured pipeline with their stages, the newest first; none where there is no store."""
    store = open_store(config) if exists(config) else None
    for run in runs(store) if store else []:
        if run.pipeline == config.name:
            yield run, stages(store, run.id)


def context_of(store: mlmd.MetadataStore, run_id: str) -> pb.Context | None:
    """Return the context of a run; None where the run is not known."""
    return store.get_context_by_type_and_name(_RUN, run_id)


def stages(store: mlmd.MetadataStore, run_id: str) -> dict[str, Stage]:
    """Return the stages of a run by name, with their outputs; a stage from the cache has the cached ones.

    A run that is not known has none.
    """
    run_executions = executions(store, [run_id])
    outputs: dict[int, dict[str, list[Artifact]]] = {}
    for event in events_of_executions(store, [execution.id for execution in run_executions]):
        if event.is_output:
            outputs.setdefault(event.execution_id, {}).setdefault(event.key, []).append(event.artifact)
    by_name: dict[str, Stage] = {}
    for execution in sorted(run_executions, key=lambda e: e.id):
        if node := node_of(store, execution.id):
            by_name[node[1]] = Stage(node[1], execution, outputs.get(execution.id, {}))
    return by_name


def latest_live(stages: dict[str, Stage], stage: str, key: str) -> Artifact | None:
    """Return the latest LIVE artifact of an output key, or None."""
    outputs = stages[stage].outputs.get(key, []) if stage in stages else []
    return next((artifact for artifact in reversed(outputs) if artifact.state == Artifact.LIVE), None)


def latest_complete(stages: dict[str, Stage], stage: str, key: str) -> Artifact | None:
    """Return the latest complete artifact of an output key, also one removed since, or None."""
    outputs = stages[stage].outputs.get(key, []) if stage in stages else []
    return next((artifact for artifact in reversed(outputs) if artifact.state in COMPLETE), None)


@dataclasses.dataclass(frozen=True)
class Event:
    """An input or output of an execution."""

    execution_id: int
    key: str  # the name of the input or output
    is_output: bool
    artifact: pb.Artifact


def events_of_executions(store: mlmd.MetadataStore, execution_ids: Iterable[int]) -> list[Event]:
    """Return the inputs and outputs of the executions, in the order of the artifacts."""
    return _events(store, store.get_events_by_execution_ids(list(execution_ids)))


def events_of_artifacts(store: mlmd.MetadataStore, artifact_ids: Iterable[int]) -> list[Event]:
    """Return the events in which executions read or made the artifacts."""
    return _events(store, store.get_events_by_artifact_ids(list(artifact_ids)))


def _events(store: mlmd.MetadataStore, stored: Iterable[pb.Event]) -> list[Event]:
    stored = [event for event in stored if event.type in (*READ, *MADE)]
    artifacts = {a.id: a for a in store.get_artifacts_by_id(sorted({event.artifact_id for event in stored}))}
    events = {
        (event.execution_id, event.artifact_id, event.type in MADE): Event(
            event.execution_id,
            event.path.steps[0].key if event.path.steps else "",
            event.type in MADE,
            artifacts[event.artifact_id],
        )
        for event in stored
    }
    return [events[key] for key in sorted(events)]


def new_event(kind: int, key: str) -> pb.Event:
    """Return an event to put: the artifact is the first, or the only one, under this key."""
    event = pb.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = 0
    return event


def executions(store: mlmd.MetadataStore, run_ids: Iterable[str]) -> list[Execution]:
    """Return the executions of these runs only: others may be running on the same server."""
    contexts = [context_of(store, run_id) for run_id in run_ids]
    return [e for context in contexts if context for e in store.get_executions_by_context(context.id)]


def node_of(store: mlmd.MetadataStore, execution_id: int) -> tuple[str, str] | None:
    """Return (pipeline, stage) of an execution; None if it belongs to no stage or does not exist."""
    try:
        contexts = store.get_contexts_by_execution(execution_id)
    except mlmd.errors.NotFoundError:
        return None
    for context in contexts:
        if context.type == "node":
            pipeline, _, stage = context.name.rpartition(".")
            return pipeline, stage
    return None


def run_of(store: mlmd.MetadataStore, execution_id: int) -> str | None:
    """Return the id of the run that an execution belongs to; None if it belongs to none."""
    contexts = store.get_contexts_by_execution(execution_id)
    return next((str(context.name) for context in contexts if context.type == _RUN), None)


def left_running(executions: Iterable[Execution]) -> list[Execution]:
    """Return the executions that a crash or kill left RUNNING; valid only while none of their runs is running."""
    return [e for e in executions if e.last_known_state in (Execution.NEW, Execution.RUNNING)]


def unsuccessful(executions: Iterable[Execution]) -> list[Execution]:
    """Return the executions that ended without outputs."""
    return [e for e in executions if e.last_known_state in (Execution.FAILED, Execution.CANCELED)]


def cancel(store: mlmd.MetadataStore, executions: list[Execution]) -> None:
    """Mark executions as canceled, so that nothing is ever reused from them."""
    for execution in executions:
        execution.last_known_state = Execution.CANCELED
    store.put_executions(executions)


def property_value(node: Artifact | Execution, name: str) -> Any:
    """Return a property of an artifact or an execution, custom or not; None if it is not set."""
    for properties in (node.custom_properties, node.properties):
        if name in properties:
            return getattr(properties[name], properties[name].WhichOneof("value"))
    return None
