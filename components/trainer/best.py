"""The best epoch of a training, and its weights."""

from __future__ import annotations

import io
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class Best(tf.train.experimental.PythonState):
    """The epoch with the highest validation accuracy, of equal ones the least validation loss; in every checkpoint."""

    def __init__(self, model: keras.Model, keeps: bool) -> None:
        """Look for the best epoch of `model`.

        Args:
          keeps: whether its weights are kept, which takes as much memory as the model.
        """
        self._model, self._keeps = model, keeps
        self.epoch = 0
        self._score: tuple[float, float] | None = None
        self._weights: list[np.ndarray] = []

    def offer(self, epoch: dict[str, Any]) -> None:
        """Compare the epoch that has just ended, an entry of `Record.history`, with the best one so far."""
        score = (epoch["val_accuracy"], -epoch["val_loss"])
        if self._score is None or score > self._score:
            self.epoch, self._score = epoch["epoch"], score
            self._weights = self._model.get_weights() if self._keeps else []

    def load(self) -> None:
        """Give the model the weights of the best epoch, if they are kept."""
        if self._weights:
            self._model.set_weights(self._weights)

    def serialize(self) -> bytes:
        content = io.BytesIO()
        weights = {str(number): values for number, values in enumerate(self._weights)}
        np.savez(content, epoch=self.epoch, score=np.array(self._score or [], np.float64), **weights)
        return content.getvalue()

    def deserialize(self, string_value: bytes) -> None:
        with np.load(io.BytesIO(string_value)) as arrays:
            self.epoch = int(arrays["epoch"])
            self._score = tuple(arrays["score"].tolist()) or None
            self._weights = [arrays[str(number)] for number in range(len(arrays.files) - 2)]
