"""The files of an exported model, and the record of where it was pushed."""

from __future__ import annotations

import dataclasses

from components.contracts import stored

SAVED_MODEL_FILE = "saved_model.pb"  # a folder with it is a SavedModel; TensorFlow Serving takes it for complete
PUSHED_FILE = "pushed.json"  # in the PushedModel: a Pushed


@dataclasses.dataclass(frozen=True)
class Pushed:
    """The destination and version of a pushed model."""

    destination: str
    version: int


def write_pushed(pushed_model: str, pushed: Pushed) -> None:
    """Write the record into the PushedModel at `pushed_model`."""
    stored.write(pushed, f"{pushed_model}/{PUSHED_FILE}")
