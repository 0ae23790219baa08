"""The logs that TensorBoard reads: a point for each epoch, also after a training was resumed."""

from __future__ import annotations

import os
from collections.abc import Mapping

import tensorflow as tf


class EventLog:
    """Scalars by epoch in a folder, one folder below it for each split.

    A training that is resumed where it logged before, as a custom job of Vertex AI that starts again does, adds no
    point twice: the service may have uploaded the first.
    """

    def __init__(self, folder: str) -> None:
        """Log into `folder`, which may be remote."""
        self._folder = folder
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self._steps: dict[str, set[int]] = {}  # that are logged, of each split

    def add(self, split: str, step: int, values: Mapping[str, float]) -> None:
        """Log the values of an epoch, unless they are there; `step` counts from 0, as Keras logs epochs."""
        folder = os.path.join(self._folder, split)
        if split not in self._writers:
            self._steps[split] = _logged(folder)
            self._writers[split] = tf.summary.create_file_writer(folder)
        if step in self._steps[split]:
            return
        with self._writers[split].as_default():
            for name, value in values.items():
                tf.summary.scalar(f"epoch_{name}", value, step)
        self._writers[split].flush()
        self._steps[split].add(step)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


def _logged(folder: str) -> set[int]:
    """Return the steps in the event files of a folder, up to where one was cut off."""
    steps: set[int] = set()
    for file in tf.io.gfile.glob(os.path.join(folder, "events.*")):
        try:
            for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
                event = tf.compat.v1.Event.FromString(record)
                if event.summary.value:
                    steps.add(event.step)
        except tf.errors.DataLossError:
            continue
    return steps
