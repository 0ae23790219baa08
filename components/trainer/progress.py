"""What a training says while it runs, and what it leaves behind of that."""

from __future__ import annotations

import math
import time
from typing import Any

import keras

from components import progress
from components.errors import UserError

_EVERY = 1.0  # seconds between two reports


class Progress(keras.callbacks.Callback):
    """Reports about once a second, keeps the history, and stops a training whose loss is not a number.

    `history` has a dict for each epoch: epoch (from 1), loss, accuracy, val_loss, val_accuracy, learning_rate (at its
    end), seconds and pictures_per_second (of training, without the validation).
    """

    def __init__(self, epochs: int, steps: int, batch_size: int) -> None:
        super().__init__()
        self.history: list[dict[str, Any]] = []
        self._epochs, self._steps, self._batch_size = epochs, steps, batch_size
        self._epoch, self._began, self._ended, self._reported = 0, 0.0, 0.0, 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch, self._began = epoch + 1, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        logs, now = logs or {}, time.monotonic()
        step = batch + 1
        if not math.isfinite(logs["loss"]):
            raise UserError(
                f"the loss is no longer a number at step {step} of {self._steps} in epoch {self._epoch}: "
                "try a lower trainer.learning_rate, a larger trainer.batch_size or more trainer.label_smoothing"
            )
        self._ended = now
        if now - self._reported >= _EVERY or step == self._steps:
            self._reported = now
            progress.report(
                f"epoch {self._epoch}/{self._epochs}, step {step}/{self._steps}, loss {logs['loss']:.3f}, "
                f"accuracy {logs['accuracy']:.3f}, {self._speed(step):,.0f} pictures/s"
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        metrics = {name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        self.history.append(
            {
                "epoch": self._epoch,
                **metrics,
                "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
                "seconds": round(self._ended - self._began, 3),
                "pictures_per_second": round(self._speed(self._steps), 1),
            }
        )
        progress.report(
            f"epoch {self._epoch}/{self._epochs}, loss {metrics['loss']:.3f}, accuracy {metrics['accuracy']:.3f}, "
            f"validation accuracy {metrics['val_accuracy']:.3f}"
        )

    def _speed(self, steps: int) -> float:
        return steps * self._batch_size / max(self._ended - self._began, 1e-9)
