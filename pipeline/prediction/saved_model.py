"""A SavedModel that answers in this process, as TensorFlow Serving would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from components.contracts import features
from components.errors import UserError
from components.imports import gc_paused
from components.text import printable
from pipeline.prediction.served import COMMAND_LINE, Words

if TYPE_CHECKING:
    import numpy as np


class LoadedModel:
    """A SavedModel with the signature `serve_images`.

    Raises:
      UserError: the folder holds none.
    """

    def __init__(self, path: str, words: Words = COMMAND_LINE) -> None:
        self.path = path
        with gc_paused():
            import tensorflow as tf
        try:
            self._model: Any = tf.saved_model.load(path)
            self._serve = self._model.signatures[features.SERVE_IMAGES]
        except Exception as error:  # TensorFlow raises many kinds of errors for a damaged folder
            raise UserError(
                f"the model {path} cannot be loaded ({_one_line(error)}): name another with {words.option}, or push "
                f"one with {words.run}"
            ) from None

    def answer(self, images: Sequence[bytes]) -> tuple[list[str], np.ndarray]:
        """Return the names of the K classes, and their probabilities: float32 [N, K].

        Args:
          images: N encoded images, at least one, as reading.canonical returns them.

        Raises:
          UserError: it does not answer.
        """
        import tensorflow as tf

        try:
            answers = self._serve(tf.constant(images))
            classes = [text.decode() for text in answers[features.CLASS_NAMES].numpy()[0]]
            return classes, answers[features.PROBABILITIES].numpy()
        except Exception as error:  # a model from elsewhere
            raise UserError(f"the model {self.path} does not answer: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return printable(" ".join(str(error).split()) or type(error).__name__, 200)
