"""Pushes a blessed model to a folder that TensorFlow Serving watches: `<base_directory>/<version>/`."""

from __future__ import annotations

import json
import os
import re
import uuid
from typing import Any

from absl import logging
from tfx import types
from tfx.components.pusher import executor as tfx_pusher
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

from components.errors import UserError

INCOMING = ".incoming-"  # <base_directory>/.incoming-<uuid>: a model being copied, or left by a push that died
CLAIM = ".claim-"  # <base_directory>/.claim-<version>-<uuid>: on object stores, who is writing the version
PUSHED_FILE = "pushed.json"  # in the PushedModel artifact: {"destination", "version"}

_MODEL_FILE = "saved_model.pb"  # TensorFlow Serving takes a version for complete once it has this file


class Executor(tfx_pusher.Executor):
    """TFX's Pusher with versions that never collide, and of which nothing half-written is ever visible.

    On a file system the model is copied beside the versions under a hidden name, which TensorFlow Serving
    ignores, and renamed in one step; whoever comes second to a version takes the next. Object stores cannot
    rename a folder: there a version is claimed with a file of its own, and `saved_model.pb` is written last.

    The PushedModel artifact holds where the model went and not a second copy, as TFX's does: nothing reads that
    copy, it is the Model artifact again.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
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
        record = json.dumps({"destination": target, "version": version}, ensure_ascii=False)
        io_utils.write_string_file(os.path.join(pushed.uri, PUSHED_FILE), record)
        self._MarkPushed(pushed, pushed_destination=target, pushed_version=str(version))
        logging.info("Pushed to %s", target)


def push(model: str, base: str) -> int:
    """Copies the SavedModel folder `model` to the next version below `base`; returns the version (1, 2, ...)."""
    return _push_to_store(model, base) if "://" in base else _push_to_disk(model, base)


def _push_to_disk(model: str, base: str) -> int:
    os.makedirs(base, exist_ok=True)
    incoming = os.path.join(base, INCOMING + uuid.uuid4().hex)
    os.mkdir(incoming)
    try:
        io_utils.copy_dir(model, incoming)
        _flush(incoming)
        version = _latest(base) + 1
        while True:
            try:
                # A folder that is not empty is never replaced, and a version is not: it holds a model.
                os.rename(incoming, os.path.join(base, str(version)))
                break
            except OSError:
                if not fileio.exists(os.path.join(base, str(version))):
                    raise
                version += 1
    finally:
        if fileio.exists(incoming):
            fileio.rmtree(incoming)
    _sync(base)
    return version


def _push_to_store(model: str, base: str) -> int:
    fileio.makedirs(base)
    version = _latest(base)
    while True:
        version += 1
        target = os.path.join(base, str(version))
        claim = os.path.join(base, f"{CLAIM}{version}-{uuid.uuid4().hex}")
        io_utils.write_string_file(claim, "")
        # Of two pushers the one that lists later sees both claims, so that at most one can find itself alone.
        # Who made the version and withdrew the claim since the last listing has left the version itself.
        claims = [name for name in fileio.listdir(base) if str(name).startswith(f"{CLAIM}{version}-")]
        if len(claims) == 1 and not fileio.exists(target):
            break
        fileio.remove(claim)
    io_utils.copy_dir(model, target, deny_regex_patterns=[r"/saved_model\.pb$"])
    io_utils.copy_file(os.path.join(model, _MODEL_FILE), os.path.join(target, _MODEL_FILE))
    fileio.remove(claim)
    return version


def _latest(base: str) -> int:
    """The highest version below `base`, or 0; other names are not TensorFlow Serving's."""
    names = [str(name).rstrip("/") for name in fileio.listdir(base)]
    return max((int(name) for name in names if re.fullmatch("[0-9]+", name)), default=0)


def _flush(folder: str) -> None:
    """Puts the files on the disk: after a power cut a renamed folder must not hold empty ones."""
    for path, _, files in os.walk(folder):
        for name in [*files, ""]:
            _sync(os.path.join(path, name))


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
