"""A model that answers in Python: the one that is served, or that of a run."""

from __future__ import annotations

import html
import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from components.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from pipeline.config import Config
    from pipeline.prediction.reading import Limits, Reader
    from pipeline.prediction.served import Served, Words


class Model:
    """A model that answers, as `load` returns it.

    Attributes:
      name: of the model, as `digits`.
      version: its number, as text; empty where it was not pushed.
      path: the folder of its SavedModel.
      run_id: of the run that pushed it; empty where another run directory knows it.
      classes: the names of its classes, in the order of its outputs.
    """

    name: str
    version: str
    path: str
    run_id: str
    classes: list[str]

    def __init__(self, served: Served, limits: Limits) -> None:
        import numpy as np

        from pipeline.output import redirect_output
        from pipeline.prediction.saved_model import LoadedModel

        self.name, self.version, self.path, self.run_id = served.name, served.version, served.path, served.run_id
        self._limits = limits
        with redirect_output(os.devnull):
            from components.example_gen import encoding

            self._loaded = LoadedModel(served.path, _words())
            self.classes, _ = self._loaded.answer([encoding.stored_png(np.zeros([1, 1, 3], np.uint8))])

    def predict(self, x: Any) -> pd.DataFrame:
        """Return the class of each image, and the probabilities of all classes.

        Images are read as those that the model was trained on: turned upright, in every format of docs/data.md, and
        within the same limits. An array has the same answer as a PNG file of it. Of a JPEG give the path or the bytes:
        Pillow decodes it to slightly other pixels than TensorFlow.

        Args:
          x: the path of an image or of a folder; pixels, uint8 [H, W, 3], [H, W] (grey) or [N, H, W, 3], from 0 to
            255; a PIL image; an encoded image in bytes; what `Run.images` and `Run.mistakes` return; or a list of
            these.

        Returns:
          A row an image. `image`: its path, or its number from 0 where it has none; `predicted`: the most probable
          class; `confidence`: its probability; then a column a class with its probability, float32 in [0, 1]. A class
          that has the name of one of these columns is called `class NAME`. Where some of several images cannot be
          read, a warning counts them, `error` says why of each, and their rows have no answer.

        Raises:
          UserError: `x` is nothing of that, or the one image that it is cannot be read.
        """
        from image_pipeline import given_images

        images, alone = given_images.read(x)
        labels = [number if path is None else path for number, (path, _) in enumerate(images)]
        probabilities, reasons = self._answers(images)
        if any(reasons):
            told = _told(["the image"] if alone and labels == [0] else labels, reasons)
            if alone:
                raise UserError(told[0])
            count = f"{len(told)} of {len(labels)} images have no answer"
            warnings.warn(f"{count}, as the column `error` says; the first is {told[0]}", stacklevel=2)
        return self._frame(labels, reasons, probabilities)

    def _answers(self, images: Sequence[tuple[str | None, Reader]]) -> tuple[np.ndarray, list[str | None]]:
        """Return the probabilities, float32 [N, classes], and why an image has none: None where it has."""
        import numpy as np

        from pipeline.output import redirect_output
        from pipeline.prediction import reading
        from pipeline.prediction.answers import NOT_FINITE

        parts = [np.zeros([0, len(self.classes)], np.float32)]
        reasons: list[str | None] = []
        with redirect_output(os.devnull):  # TensorFlow and libjpeg print messages about damaged files
            for batch in reading.batches(images, self._limits):
                encoded = [image for _, image in batch if isinstance(image, bytes)]
                rows = np.full([len(batch), len(self.classes)], np.nan, np.float32)
                if encoded:
                    rows[[isinstance(image, bytes) for _, image in batch]] = self._loaded.answer(encoded)[1]
                parts.append(rows)
                finite = np.isfinite(rows).all(axis=1)
                for (_, image), answered in zip(batch, finite):
                    unanswered = None if answered else NOT_FINITE
                    reasons.append(unanswered if isinstance(image, bytes) else image.reason)
        return np.concatenate(parts), reasons

    def _frame(
        self, labels: Sequence[str | int], reasons: Sequence[str | None], probabilities: np.ndarray
    ) -> pd.DataFrame:
        from pipeline.prediction import table

        return table.frame(labels, reasons, self.classes, probabilities, with_error=False)

    def __repr__(self) -> str:
        return "\n".join(f"{title:<9} {text}" for title, text in self._rows())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from image_pipeline import page

        rows = "".join(
            f"<tr><th style='text-align:left'>{title}</th><td style='text-align:left'>{html.escape(text)}</td></tr>"
            for title, text in self._rows()
        )
        return page.bundle(repr(self), f"<table>{rows}</table>")

    def _rows(self) -> list[tuple[str, str]]:
        from components.text import printable

        version = f" version {printable(self.version)}" if self.version else ""
        rows = [
            ("model", f"{printable(self.name)}{version}"),
            ("classes", f"{len(self.classes)}: {printable(', '.join(self.classes), 200)}"),
            ("run", self.run_id),
            ("path", self.path),
        ]
        return [(title, text) for title, text in rows if text]


def served(config: Config, name: str | None) -> Model:
    """Return the served model that `name` names, as `pipeline.prediction.served.find` takes it.

    Raises:
      UserError: there is none, or models of several names are served and none is named.
      Damaged: its files are not those that were pushed.
    """
    from pipeline.output import redirect_output
    from pipeline.prediction.served import find

    with redirect_output(os.devnull):
        answering = find(config, name, _words())
        limits = answering.limits(config.data)
    return Model(answering, limits)


def of_run(config: Config, run_id: str, model: str) -> Model:
    """Return the model that a run's Trainer exported, also where it was refused and never pushed.

    Args:
      config: of the run, whose limits its training images were read with.
      run_id: of the run.
      model: URI of the Trainer's output `model`.

    Raises:
      UserError: it cannot be loaded.
    """
    from components.contracts.model import EXPORTED
    from pipeline.prediction.reading import Limits
    from pipeline.prediction.served import Served

    return Model(Served(config.name, "", f"{model}/{EXPORTED}", run_id), Limits.of(config.data))


def _told(labels: Sequence[str | int], reasons: Sequence[str | None]) -> list[str]:
    """Return a line for each image that has no answer."""
    from components.text import printable
    from pipeline.prediction.reading import LABEL

    return [
        f"{f'image {label}' if isinstance(label, int) else printable(label, LABEL)}: {printable(reason, LABEL)}"
        for label, reason in zip(labels, reasons)
        if reason
    ]


def _words() -> Words:
    """Return how messages name what a person calls."""
    from pipeline.prediction.served import Words

    return Words('ip.load("{}")', "ip.load", "`ip.run`")
