"""The progress and the history of a training."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components import progress
from components.errors import UserError
from components.trainer.event_log import EventLog

_EVERY = 1.0  # seconds between two reports


class DivergedError(UserError):
    """The loss is no longer a number.

    Attributes:
      epochs: of the training until then.
    """

    epochs: Sequence[dict[str, Any]] = ()


class Record(tf.train.experimental.PythonState):
    """The progress, history and TensorBoard logs of a training; a part of every checkpoint.

    `history` has a dict for each epoch: epoch (from 1; 0 is the fitted last layer of a pretrained network), loss,
    accuracy, val_loss, val_accuracy, learning_rate (at its end), seconds and pictures_per_second (of training, without
    the validation), and waiting (the share of the steps' time in which they waited for data; epoch 0 has none).
    """

    def __init__(self, epochs: int, steps: int, batch_size: int, logs: str | None = None, title: str = "") -> None:
        """Record a training from its start.

        Args:
          epochs: to train.
          steps: an epoch.
          batch_size: images a step, over all replicas.
          logs: folder of the TensorBoard logs; none are written if None.
          title: precedes each line of progress.
        """
        self.history: list[dict[str, Any]] = []
        self.step = 0  # done, over all epochs
        self._steps, self._epochs, self._batch_size = steps, epochs, batch_size
        self._epoch, self._ended_early = _Sums(), False
        self._events, self._title, self._reported = EventLog(logs) if logs else None, title, 0.0

    @property
    def epoch(self) -> int:
        """The number of epochs that are complete, their validation included."""
        return self.history[-1]["epoch"] if self.history else 0

    @property
    def total(self) -> int:
        """The number of steps in all epochs."""
        return self._steps * self._epochs

    @property
    def left_in_epoch(self) -> int:
        """The number of steps."""
        return self._steps * (self.epoch + 1) - self.step

    @property
    def at_end_of_epoch(self) -> bool:
        """True if an epoch is trained and not yet validated."""
        return self.epoch < self._epochs and (self.left_in_epoch == 0 or self._ended_early)

    def end_early(self) -> None:
        """Let the epoch, if it has begun, end with the steps that are done."""
        self._ended_early = self._epoch.steps > 0

    def where(self) -> str:
        """Return `step 12 of 440 (epoch 1 of 20)`, after the title."""
        epoch = f"epoch {min(self.epoch + 1, self._epochs)} of {self._epochs}"
        return f"{self._title}step {self.step:,} of {self.total:,} ({epoch})"

    def add(self, losses: np.ndarray, right: float, seconds: float, waiting: float) -> None:
        """Record some steps of one epoch.

        Args:
          losses: of each step.
          right: correct predictions, over all of them.
          seconds: that they took, without what TensorFlow compiles before.
          waiting: the share of that in which they waited for data.

        Raises:
          DivergedError: a loss is infinite or not a number.
        """
        bad = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if bad is not None:
            step = self.step - self.epoch * self._steps + bad + 1
            raise DivergedError(
                f"the loss is no longer a number at step {step} of {self._steps} in epoch {self.epoch + 1}: "
                "try a lower trainer.learning_rate, a larger trainer.batch_size or more trainer.label_smoothing"
            )
        self.step += len(losses)
        sums = self._epoch
        sums.steps += len(losses)
        sums.loss += float(np.sum(losses, dtype=np.float64))
        sums.right += right
        sums.seconds += seconds
        sums.waiting += waiting * len(losses)
        now = time.monotonic()
        if now - self._reported >= _EVERY or self.at_end_of_epoch:
            self._reported = now
            progress.report(
                f"{self._title}epoch {self.epoch + 1}/{self._epochs}, step {sums.steps}/{self._steps}, "
                f"loss {sums.loss / sums.steps:.3f}, accuracy {self._accuracy():.3f}, {self._speed():,.0f} images/s"
            )

    def end_epoch(self, loss: float, accuracy: float, learning_rate: float) -> None:
        """Record the validation of the epoch, with this loss and accuracy."""
        sums = self._epoch
        self._append(
            {
                "epoch": self.epoch + 1,
                "loss": sums.loss / sums.steps,
                "accuracy": self._accuracy(),
                "val_loss": loss,
                "val_accuracy": accuracy,
                "learning_rate": learning_rate,
                "seconds": round(sums.seconds, 3),
                "pictures_per_second": round(self._speed(), 1),
                "waiting": round(sums.waiting / sums.steps, 4),
            }
        )
        self._epoch = _Sums()

    def fitted_last_layer(
        self, loss: float, accuracy: float, images: int, val_loss: float, val_accuracy: float, seconds: float
    ) -> None:
        """Record the fitted last layer of a pretrained network as epoch 0.

        Args:
          loss, accuracy: of the training images.
          images: how many there are.
          val_loss, val_accuracy: of the validation images.
          seconds: that it took.
        """
        self._append(
            {
                "epoch": 0,
                "loss": loss,
                "accuracy": accuracy,
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "learning_rate": 0.0,
                "seconds": round(seconds, 3),
                "pictures_per_second": round(images / max(seconds, 1e-9), 1),
            }
        )

    def _append(self, epoch: dict[str, Any]) -> None:
        self.history.append(epoch)
        place = f"epoch {epoch['epoch']}/{self._epochs}" if epoch["epoch"] else "last layer"
        progress.report(
            f"{self._title}{place}, loss {epoch['loss']:.3f}, accuracy {epoch['accuracy']:.3f}, "
            f"validation accuracy {epoch['val_accuracy']:.3f}"
        )
        self._log(epoch)

    def _accuracy(self) -> float:
        return self._epoch.right / (self._epoch.steps * self._batch_size)

    def _speed(self) -> float:
        return self._epoch.steps * self._batch_size / max(self._epoch.seconds, 1e-9)

    def _log(self, epoch: dict[str, Any]) -> None:
        if self._events is None or not epoch["epoch"]:  # TensorBoard counts epochs from 0: there is none before them
            return
        scalars = {
            "train": {name: epoch[name] for name in ("loss", "accuracy", "learning_rate")},
            "validation": {"loss": epoch["val_loss"], "accuracy": epoch["val_accuracy"]},
        }
        for split, values in scalars.items():
            self._events.add(split, epoch["epoch"] - 1, values)

    def close(self) -> None:
        if self._events:
            self._events.close()

    def serialize(self) -> str:
        return json.dumps({"step": self.step, "history": self.history, "epoch": vars(self._epoch)})

    def deserialize(self, string_value: bytes | str) -> None:
        state = json.loads(string_value)
        self.step, self.history, self._epoch = state["step"], state["history"], _Sums(**state["epoch"])
        for epoch in self.history:  # what the logs of this run lack
            self._log(epoch)


class _Sums:
    """The sums over the steps of the current epoch."""

    def __init__(
        self, steps: int = 0, loss: float = 0.0, right: float = 0.0, seconds: float = 0.0, waiting: float = 0.0
    ) -> None:
        self.steps, self.loss, self.right, self.seconds, self.waiting = steps, loss, right, seconds, waiting
