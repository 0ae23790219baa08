"""The files of an exported model, and the record of where it was pushed."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from components import files
from components.contracts import features as f
from components.contracts import stored

SAVED_MODEL_FILE = "saved_model.pb"  # a folder with it is a SavedModel; TensorFlow Serving takes it for complete
EXPORTED = "Format-Serving"  # where TFX has the SavedModel in a Model artifact
PUSHED_FILE = "pushed.json"  # in the PushedModel: a Pushed


@dataclasses.dataclass(frozen=True)
class Pushed:
    """The destination and version of a pushed model."""

    destination: str
    version: int


def class_names(exported: str) -> list[str]:
    """Return the classes of the SavedModel in the folder `exported`, in the order of its outputs.

    Raises:
      OSError, KeyError, AttributeError or tf.errors.OpError: it cannot be read, or is none of this project.
    """
    import tensorflow as tf

    return names_of(tf.saved_model.load(exported))


def names_of(loaded: Any) -> list[str]:
    """Return the same of a SavedModel that is loaded. Raises KeyError, AttributeError or tf.errors.OpError as above."""
    import tensorflow as tf

    blank = tf.zeros([1, 8, 8, 3], tf.uint8)
    names = loaded.signatures[f.SERVE_TENSORS](pixels=blank)[f.CLASS_NAMES].numpy()[0]
    return [name.decode() for name in names]


def write_pushed(pushed_model: str, pushed: Pushed) -> None:
    """Write the record into the PushedModel at `pushed_model`."""
    stored.write(pushed, f"{pushed_model}/{PUSHED_FILE}")


def versions(base: str) -> list[int]:
    """Return the versions below `base`, the highest first; other names are not TensorFlow Serving's."""
    return sorted((int(name) for name in files.names(base) if re.fullmatch("[0-9]+", name)), reverse=True)


def front(base: str) -> int:
    """Return the version that TensorFlow Serving serves, the highest that is complete; 0 where there is none."""
    return next((version for version in versions(base) if files.exists(f"{base}/{version}/{SAVED_MODEL_FILE}")), 0)
