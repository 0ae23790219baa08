"""Predictions of a model for images: printed, a line or a JSON object each, or written as a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

from components.text import printable
from pipeline.prediction import reading
from pipeline.prediction.table import Table

if TYPE_CHECKING:
    import numpy as np

    from components.example_gen.rejected import Rejected
    from pipeline.prediction.reading import Limits, Reader


NOT_FINITE = "the model's probabilities are not finite"


class Answer(NamedTuple):
    """The prediction of a model for an image.

    Attributes:
      classes: the names of the K classes, in the order of the model's outputs.
      probabilities: float32 [K].
      model: which model it was, as the JSON shows it.
    """

    classes: Sequence[str]
    probabilities: np.ndarray
    model: Mapping[str, str]

    def ranked(self) -> dict[str, float]:
        """Return the probability of each class, the highest first."""
        return {self.classes[i]: float(self.probabilities[i]) for i in self.probabilities.argsort()[::-1]}


Ask = Callable[[list[bytes]], "Sequence[Answer | Rejected]"]  # of encoded images, in their order
Answered = tuple[str, "Answer | Rejected"]  # the path of an image, and what is answered, or why nothing is


def of(
    files: Iterable[tuple[str, Reader]], limits: Limits, ask: Ask, waiting: Callable[[], AbstractContextManager[None]]
) -> Iterator[Answered]:
    """Read images and ask a model about them, a batch at a time.

    Args:
      files: their paths, and what reads them.
      limits: within which they are read.
      ask: answers.
      waiting: surrounds what takes time, and what libraries print meanwhile.

    Yields:
      The path of each image with its answer, or with the reason why it has none.
    """
    batches = reading.batches(files, limits)
    while True:
        with waiting():  # TensorFlow and libjpeg print messages about damaged files
            batch = next(batches, [])
            encoded = [image for _, image in batch if isinstance(image, bytes)]
            replies = map(_finite, ask(encoded) if encoded else [])
        if not batch:
            return
        for path, image in batch:
            yield path, next(replies) if isinstance(image, bytes) else image


def _finite(answer: Answer | Rejected) -> Answer | Rejected:
    import numpy as np

    from components.example_gen.rejected import Rejected

    if isinstance(answer, Answer) and not np.isfinite(answer.probabilities).all():
        return Rejected(NOT_FINITE)
    return answer


def show(answers: Iterable[Answered], top: int, as_json: bool, table: Table | None = None) -> int:
    """Print the answers; with a table they are added to it instead. Images without an answer are told as errors.

    Args:
      answers: of each image.
      top: classes to print for an image.
      as_json: whether to print a JSON object for each.
      table: which is written by the caller.

    Returns:
      How many images have no answer.
    """
    unanswered = 0
    for path, answer in answers:
        if isinstance(answer, Answer):
            if table is None:
                print(_as_json(path, answer) if as_json else _as_line(path, answer, top))
            else:
                table.add(path, answer.classes, answer.probabilities)
            continue
        unanswered += 1
        reason = printable(answer.reason, reading.LABEL)
        print(f"error: {printable(path, reading.LABEL)}: {reason}", file=sys.stderr)
        if table is not None:
            table.add_unanswered(path, reason)
    return unanswered


def _as_line(path: str, answer: Answer, top: int) -> str:
    label = "  ".join(f"{printable(name)} {p:.1%}" for name, p in list(answer.ranked().items())[:top])
    return f"{printable(path, reading.LABEL)}: {label}"


def _as_json(path: str, answer: Answer) -> str:
    ranked = answer.ranked()
    content: dict[str, Any] = {
        "path": path,
        "class": next(iter(ranked)),
        "probabilities": ranked,
        "model": dict(answer.model),
    }
    line = json.dumps(content, ensure_ascii=False)
    return line if line.isprintable() else json.dumps(content)
