"""The manifest of a pushed version: the SHA-256 of every file, stored in the version itself."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping

from components import files
from components.contracts.model import SAVED_MODEL_FILE

# The folder is SavedModel's own for what else belongs to a model; TensorFlow Serving does not look into it.
MANIFEST_FILE = "assets.extra/manifest.json"  # {"sha256", "files": {path below the version: sha256}}


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The files of a model by their path below its folder."""

    files: Mapping[str, str]  # their SHA-256, 64 hex digits

    @property
    def sha256(self) -> str:
        """The hash of the names and contents of all files, 64 hex digits."""
        lines = "\n".join(f"{sha256} {name}" for name, sha256 in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def to_json(self) -> str:
        return json.dumps({"sha256": self.sha256, "files": dict(sorted(self.files.items()))}, indent=1) + "\n"


def of(folder: str) -> Manifest:
    """Return the manifest of the files in a model's folder, whatever the stored one says."""
    return Manifest({name: files.sha256(f"{folder}/{name}") for name in files.below(folder) if name != MANIFEST_FILE})


def read(folder: str) -> Manifest | None:
    """Return the manifest of a version; None if it has none, like versions of older releases.

    Raises:
      ValueError: it cannot be read.
    """
    path = f"{folder}/{MANIFEST_FILE}"
    if not files.exists(path):
        return None
    try:
        stored = json.loads(files.read_bytes(path))
        manifest = Manifest({str(name): str(sha256) for name, sha256 in stored["files"].items()})
        good = stored["sha256"] == manifest.sha256
    except (ValueError, TypeError, KeyError, AttributeError):
        good = False
    if not good:
        raise ValueError(f"{MANIFEST_FILE} cannot be read")
    return manifest


def difference(folder: str, manifest: Manifest) -> str:
    """Describe the first file in which the folder differs from the manifest; "" if there is none."""
    for name, sha256 in sorted(manifest.files.items()):
        path = f"{folder}/{name}"
        if not files.exists(path):
            return f"{name} is missing"
        if files.sha256(path) != sha256:
            return f"{name} is not the file that was pushed"
    return ""


def damage(folder: str) -> str:
    """Describe what is wrong with a pushed version; "" if it is as it was pushed."""
    if not files.exists(f"{folder}/{SAVED_MODEL_FILE}"):
        return f"{SAVED_MODEL_FILE} is missing" if files.exists(folder) else "the folder is missing"
    try:
        manifest = read(folder)
        return difference(folder, manifest) if manifest else ""
    except ValueError as error:
        return str(error)
    except OSError as error:
        return files.error_reason(error)
