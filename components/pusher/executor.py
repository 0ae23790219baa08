"""The executor of Pusher: copies a blessed model to `<base_directory>/<version>/` for TensorFlow Serving."""

from __future__ import annotations

import os
import uuid
from typing import Any

from absl import logging
from tfx.components.pusher import executor as tfx_pusher
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

from components import files
from components.contracts import model as model_files
from components.contracts.model import SAVED_MODEL_FILE, Pushed, write_pushed
from components.errors import UserError
from components.pusher import incoming, manifest
from components.tfx_types import Artifacts

CLAIM = ".claim-"  # <base_directory>/.claim-<version>-<uuid>: on object stores, who is writing the version


class Executor(tfx_pusher.Executor):
    """TFX's Pusher with versions that never collide and become visible only when complete.

    On a file system the model is copied beside the versions under a hidden name, which TensorFlow Serving ignores, and
    renamed in one step; the second of two pushers takes the next version. Object stores cannot rename a folder: there a
    version is claimed with a file, and `saved_model.pb` is written last.

    A push that was killed before ML Metadata recorded it is repeated and finds its model already served: that version
    is recorded then, not a second one. Each version carries its manifest (manifest.py).

    The PushedModel artifact has the destination of the model and no second copy, unlike TFX's: nothing reads that copy.
    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Pushes `model` if every blessing that was given allows it.

        Raises:
          UserError: the folder cannot be written to.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
        base = destination.filesystem.base_directory
        try:
            version = push(self.GetModelPath(input_dict), base)
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise UserError(
                f"cannot push to {base!r}: {error.strerror}; set serving.dir to a folder that can be written"
            ) from error
        target = os.path.join(base, str(version))
        write_pushed(pushed.uri, Pushed(target, version))
        self._MarkPushed(pushed, pushed_destination=target, pushed_version=str(version))
        logging.info("Pushed to %s", target)


def push(model: str, base: str) -> int:
    """Copy the SavedModel folder `model` to the next version below `base`; return the version (1, 2, ...).

    Nothing is copied if the served version is this model.
    """
    contents = manifest.of(model)
    front = model_files.front(base)
    if front and _holds(os.path.join(base, str(front)), contents):
        logging.info("Version %d is this model already", front)
        return front
    return (_push_to_store if files.is_remote(base) else _push_to_disk)(model, base, contents)


def _holds(version: str, contents: manifest.Manifest) -> bool:
    """Return True if a version has these files, unchanged; its manifest may save reading them."""
    try:
        noted = manifest.read(version)
    except ValueError:
        return False
    return (noted is None or noted.sha256 == contents.sha256) and not manifest.difference(version, contents)


def _push_to_disk(model: str, base: str, contents: manifest.Manifest) -> int:
    os.makedirs(base, exist_ok=True)
    with incoming.folder(base) as folder:
        try:
            _copy(model, folder, contents)
            _flush(folder)
            version = max(model_files.versions(base), default=0) + 1
            while True:
                try:
                    # A rename never replaces a folder that is not empty, and a version contains a model.
                    os.rename(folder, os.path.join(base, str(version)))
                    break
                except OSError:
                    if not fileio.exists(os.path.join(base, str(version))):
                        raise
                    version += 1
        finally:
            if fileio.exists(folder):
                fileio.rmtree(folder)
    _sync(base)
    return version


def _copy(model: str, target: str, contents: manifest.Manifest) -> None:
    """Copy the files: the manifest second to last, the file that makes a version complete last."""
    last_file = SAVED_MODEL_FILE
    for name in contents.files:
        if name != last_file:
            io_utils.copy_file(os.path.join(model, name), os.path.join(target, name))
    io_utils.write_string_file(os.path.join(target, manifest.MANIFEST_FILE), contents.to_json())
    io_utils.copy_file(os.path.join(model, last_file), os.path.join(target, last_file))


def _push_to_store(model: str, base: str, contents: manifest.Manifest) -> int:
    fileio.makedirs(base)
    version = max(model_files.versions(base), default=0)
    while True:
        version += 1
        target = os.path.join(base, str(version))
        claim = os.path.join(base, f"{CLAIM}{version}-{uuid.uuid4().hex}")
        io_utils.write_string_file(claim, "")
        # Of two pushers the one that lists later sees both claims, so that at most one can find itself alone.
        # A pusher that finished since the last listing has withdrawn its claim, but its version is there.
        claims = [name for name in fileio.listdir(base) if str(name).startswith(f"{CLAIM}{version}-")]
        if len(claims) == 1 and not fileio.exists(target):
            break
        fileio.remove(claim)
    _copy(model, target, contents)
    fileio.remove(claim)
    return version


def _flush(folder: str) -> None:
    """Flush the files to disk, so that a renamed folder has no empty files after a power cut."""
    for path, _, names in os.walk(folder):
        for name in [*names, ""]:
            _sync(os.path.join(path, name))


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
