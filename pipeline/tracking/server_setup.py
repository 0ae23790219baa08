"""Registration of types and contexts in ML Metadata before the first stage, so that concurrent runs share a server.

TFX looks a type up by name and creates it if there is none. On PostgreSQL two concurrent runs create two types of one
name, and each then finds only a part of the artifacts. The server keeps only the external id of a type unique, so types
are registered here with one, and TFX finds them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from components.errors import UserError

_TRIES, _PAUSE = 40, 0.25  # seconds between tries
_OF_ANOTHER_RUN = (mlmd.errors.AlreadyExistsError, mlmd.errors.InternalError, mlmd.errors.AbortedError)

T = TypeVar("T")

REPORT = "Report"  # the name of its artifact type and of its execution type


@contextlib.contextmanager
def on_server(store: mlmd.MetadataStore, kind: str, ir: Any) -> Iterator[None]:
    """Prepare a server for a run of the pipeline, and TFX for the server during the run.

    Args:
      store: on the server.
      kind: mysql or postgresql.
      ir: the compiled pipeline.

    Raises:
      UserError: the server cannot store a parameter of the pipeline.
    """
    if kind == "postgresql":
        refuse_backslashes(ir)
    register(store, ir)
    # TFX's cache expects the artifacts in the order in which it asks for them. PostgreSQL has no order:
    # the two outputs of a stage could be swapped.
    unordered = mlmd.MetadataStore.get_artifacts_by_id

    def in_order(self: mlmd.MetadataStore, artifact_ids: Sequence[int], *more: Any, **named: Any) -> list[pb.Artifact]:
        artifacts = {artifact.id: artifact for artifact in unordered(self, artifact_ids, *more, **named)}
        return [artifacts[artifact_id] for artifact_id in artifact_ids if artifact_id in artifacts]

    mlmd.MetadataStore.get_artifacts_by_id = in_order
    try:
        yield
    finally:
        mlmd.MetadataStore.get_artifacts_by_id = unordered


def register(store: mlmd.MetadataStore, ir: Any) -> None:
    """Register the types of a compiled pipeline, and those of its contexts that are the same in every run.

    Raises:
      ml_metadata.errors.StatusError: the server refuses.
    """
    nodes = [node.pipeline_node for node in ir.nodes]
    artifacts = [output.artifact_spec.type for node in nodes for output in node.outputs.outputs.values()]
    contexts = {spec.type.name: spec.type for node in nodes for spec in node.contexts.contexts}
    for kind in [*artifacts, pb.ArtifactType(name=REPORT)]:
        put_type(store.put_artifact_type, kind, "artifact")
    for kind in [*(node.node_info.type for node in nodes), pb.ExecutionType(name=REPORT)]:
        put_type(store.put_execution_type, kind, "execution")
    ids = {
        kind.name: put_type(store.put_context_type, kind, "context")
        for kind in [*contexts.values(), pb.ContextType(name="execution_cache")]
    }
    names = {
        (spec.type.name, spec.name.field_value.string_value)
        for node in nodes
        for spec in node.contexts.contexts
        if spec.type.name != "pipeline_run"
    }
    for kind, name in sorted(names):
        _once(partial(_put_context, store, kind, ids[kind], name))


def refuse_backslashes(ir: Any) -> None:
    """Refuse backslashes on PostgreSQL, where a property with one breaks the SQL of ml-metadata's client.

    Raises:
      UserError: a parameter has one, as JSON has for every character that is not ASCII.
    """
    for node in ir.nodes:
        for name, parameter in node.pipeline_node.parameters.parameters.items():
            if "\\" in parameter.field_value.string_value:
                raise UserError(
                    f"ML Metadata on PostgreSQL cannot store {name} of {node.pipeline_node.node_info.id}, which has a "
                    "backslash or a character that is not ASCII in it. Rename the data's last folder or file, or use "
                    "MySQL or SQLite"
                )


def _put_context(store: mlmd.MetadataStore, kind: str, type_id: int, name: str) -> None:
    if store.get_context_by_type_and_name(kind, name) is None:
        store.put_contexts([pb.Context(type_id=type_id, name=name)])


def put_type(put: Callable[..., int], kind: Any, family: str) -> int:
    """Put a type that the server keeps unique, and return its id."""
    named = type(kind)()
    named.CopyFrom(kind)
    named.external_id = f"{family}:{kind.name}"
    return _once(partial(put, named, can_add_fields=True, can_omit_fields=True))


def _once(put: Callable[[], T]) -> T:
    """Return the result of `put`; retry while another run does the same."""
    for _ in range(_TRIES - 1):
        try:
            return put()
        except _OF_ANOTHER_RUN:
            time.sleep(_PAUSE)
    return put()
