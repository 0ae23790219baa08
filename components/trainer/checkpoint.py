"""Checkpoints of an unfinished training, to resume from after Ctrl-C, a crash or a kill."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from components import files
from components.errors import UserError
from components.trainer.best import Best
from components.trainer.config import Settings
from components.trainer.record import Record

_HERE = Path(__file__).resolve().parent
_LIBRARIES = ("keras", "numpy", "tensorflow")
# Settings that the weights do not depend on.
_WITHOUT_EFFECT = ("checkpoints", "checkpoint_seconds", "cache_bytes", "weights_file")


class Checkpoints:
    """The checkpoints of one training: every variable of the model and of its optimizer, the record, the best weights.

    A write is complete or without effect: the file that names the latest checkpoint is replaced after it.
    """

    def __init__(
        self,
        directory: str,
        seconds: float,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        record: Record,
        best: Best,
        writes: bool = True,
    ) -> None:
        """Manage the checkpoints of one training.

        Args:
          directory: of this training alone; nothing is ever kept if empty.
          seconds: between two checkpoints, at least.
          writes: False for a worker beside the chief, which only reads.
        """
        self._directory, self._seconds, self._saved = directory, seconds, time.monotonic()
        variables = [variable.value for variable in (*model.variables, *optimizer.variables)]
        checkpoint = tf.train.Checkpoint(variables=variables, record=record, best=best)
        self._manager = tf.train.CheckpointManager(checkpoint, directory, max_to_keep=2) if directory else None
        self._record, self._writes = record, writes

    def restore(self) -> None:
        """Resume from the latest checkpoint, if there is one.

        Raises:
          UserError: it cannot be read.
        """
        if self._manager is None or self._manager.latest_checkpoint is None:
            return
        try:
            self._manager.checkpoint.restore(self._manager.latest_checkpoint).assert_consumed()
        except (tf.errors.OpError, AssertionError, IndexError, ValueError) as error:  # the reader raises them all
            raise UserError(
                f"the unfinished training in {self._directory} cannot be read ({str(error).splitlines()[0]}): "
                "remove that folder to train from the start"
            ) from error
        logging.info("training resumes after %s, kept in %s", self._record.where(), self._directory)

    def save_if_due(self) -> None:
        if time.monotonic() - self._saved >= self._seconds:
            self.save()

    def save(self) -> None:
        if self._manager is not None and self._writes:
            self._manager.save(checkpoint_number=self._record.step)
            self._saved = time.monotonic()

    def delete(self) -> None:
        """Remove the checkpoints once the training is finished and written."""
        if self._manager is not None:
            remove(self._directory)


def remove(folder: str) -> None:
    """Remove `folder` and what is in it, if it is there; nothing where it is empty."""
    if folder and tf.io.gfile.exists(folder):
        tf.io.gfile.rmtree(folder)


def key(inputs: str, settings: Settings, precision: str, only: set[str] | None = None) -> str:
    """Return 24 hex digits: a hash of a training's inputs, settings, code and libraries.

    Args:
      inputs: the `content` of all files that the training reads.
      precision: what it computes in, since `auto` depends on the machine.
      only: the settings that matter; None: all that have an effect.
    """
    effective = settings.model_dump(include=only, exclude=set(_WITHOUT_EFFECT))
    code = {str(file.relative_to(_HERE)): hashlib.sha256(file.read_bytes()).hexdigest() for file in _HERE.rglob("*.py")}
    libraries = {library: metadata.version(library) for library in _LIBRARIES}
    text = json.dumps([inputs, effective, precision, code, libraries], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def content(paths: Iterable[str]) -> str:
    """Return 64 hex digits: a hash of the names and bytes of files, not of their location."""
    lines = sorted(f"{os.path.basename(path)} {files.sha256(path)}" for path in paths)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
