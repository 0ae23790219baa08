"""The served version of a model: the highest complete one in the folder that TensorFlow Serving watches."""

from __future__ import annotations

import os

import ml_metadata as mlmd

from components.contracts.model import front
from pipeline.tracking import metadata

PUSHED = "PushedModel"
ROLLED_BACK_TO = "rolled_back_to"  # of a PushedModel that `rollback` made: the version that it is again


def destination(pushed: metadata.Artifact) -> str:
    """Return the folder of a pushed version; empty if it was not pushed."""
    return str(metadata.property_value(pushed, "pushed_destination") or "")


def now(store: mlmd.MetadataStore, base: str) -> dict[str, str] | None:
    """Return {"version": the served one, "is": the one that it copies, or itself}; None if there is none."""
    version = str(front(base))
    if version == "0":
        return None
    artifacts = store.get_artifacts_by_type(PUSHED)
    pushed = [artifact for artifact in artifacts if destination(artifact) == f"{base}/{version}"]
    original = metadata.property_value(pushed[-1], ROLLED_BACK_TO) if pushed else None
    return {"version": version, "is": str(original or version)}


def in_front(store: mlmd.MetadataStore) -> list[metadata.Artifact]:
    """Return the served PushedModel of each model whose folder can be read from here."""
    pushed = {destination(artifact): artifact for artifact in store.get_artifacts_by_type(PUSHED)}
    bases = sorted({os.path.dirname(path) for path in pushed if path})
    paths = [f"{base}/{front(base)}" for base in bases]
    return [pushed[path] for path in paths if path in pushed]
