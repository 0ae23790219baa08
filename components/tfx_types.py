"""Helpers of the stages for TFX's types."""

from __future__ import annotations

from typing import Any, TypeAlias

from tfx import types

Artifacts: TypeAlias = dict[str, list[types.Artifact]]  # an executor's inputs or outputs, by their keys


def filled(spec_class: type[types.ComponentSpec], **given: Any) -> types.ComponentSpec:
    """Return a spec with the given inputs and parameters, and a new channel for each of its outputs."""
    return spec_class(**given, **{key: types.Channel(type=output.type) for key, output in spec_class.OUTPUTS.items()})
