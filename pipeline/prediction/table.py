"""Answers as a table: a row an image, a column a class; in memory, or as a CSV, JSON Lines or Parquet file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from components import files
from components.errors import UserError
from components.text import printable

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_OWN = ("image", "predicted", "confidence", "error")  # columns, beside those of the classes
_WRITERS: dict[str, Callable[[pd.DataFrame, io.BytesIO], Any]] = {
    ".csv": lambda frame, out: frame.to_csv(out, index=False),
    ".jsonl": lambda frame, out: frame.to_json(out, orient="records", lines=True, force_ascii=False),
    ".parquet": lambda frame, out: frame.to_parquet(out, index=False),
}


def check_output(path: str) -> str:
    """Return the path of a table that is to be written.

    Raises:
      UserError: its ending names none of the formats, or it is where nothing can be written.
    """
    label = printable(path, 4096)
    if os.path.splitext(path)[1].lower() not in _WRITERS:
        raise UserError(f"{label}: name a file that ends in {', '.join(_WRITERS)}")
    scheme, separator, _ = path.partition("://")
    if separator and scheme not in files.SCHEMES:
        raise UserError(f"{label}: cannot write to {scheme}://; write to gs:// or to this machine")
    if os.path.isdir(path):
        raise UserError(f"{label}: it is a folder; name a file")
    return path


class Table:
    """Answers that become a file; all of them are kept in memory until then."""

    def __init__(self) -> None:
        self._labels: list[str] = []
        self._reasons: list[str | None] = []
        self._rows: list[tuple[Sequence[str], np.ndarray | None]] = []

    def add(self, label: str, classes: Sequence[str], probabilities: np.ndarray) -> None:
        """Add the answer for an image: float32 [K]."""
        self._labels.append(label)
        self._reasons.append(None)
        self._rows.append((classes, probabilities))

    def add_unanswered(self, label: str, reason: str) -> None:
        """Add an image that has no answer."""
        self._labels.append(label)
        self._reasons.append(reason)
        self._rows.append(((), None))

    def write(self, path: str) -> None:
        """Write the file, local or remote, in the format that its ending names. OSError if that is impossible."""
        out = io.BytesIO()
        _WRITERS[os.path.splitext(path)[1].lower()](self._frame(), out)
        files.write(path if files.is_remote(path) else os.path.abspath(path), out.getvalue())

    def __len__(self) -> int:
        return len(self._labels)

    def _frame(self) -> pd.DataFrame:
        import numpy as np

        places: dict[str, int] = {}  # of all classes: an endpoint may serve several models
        for known in dict.fromkeys(tuple(classes) for classes, _ in self._rows):
            for name in known:
                places.setdefault(name, len(places))
        probabilities = np.full([len(self._rows), len(places)], np.nan, np.float32)
        for row, (classes, answer) in enumerate(self._rows):
            if answer is not None:
                probabilities[row, [places[name] for name in classes]] = answer
        made = frame([files.text(label) for label in self._labels], self._reasons, list(places), probabilities, True)
        return made.astype({"predicted": "string", "error": "string"})  # also where no row has any


def frame(
    labels: Sequence[str | int],
    reasons: Sequence[str | None],
    classes: list[str],
    probabilities: np.ndarray,
    with_error: bool,
) -> pd.DataFrame:
    """Return the table.

    Args:
      labels: of each image, its path or number.
      reasons: why an image has no answer; None where it has one.
      classes: the names of the K classes.
      probabilities: float32 [N, K], NaN where there is no answer.
      with_error: whether the column `error` is there also where every image has an answer.
    """
    import numpy as np
    import pandas as pd

    none = np.full([len(labels), 1], -1, np.float32)  # below every probability, and there without any class
    known = np.hstack([none, np.nan_to_num(probabilities, nan=-1)])
    best, confidence = known.argmax(axis=1) - 1, known.max(axis=1)
    columns: dict[str, Any] = {
        "image": labels,
        "predicted": pd.Series(
            [None if reason else classes[index] for index, reason in zip(best, reasons)], dtype=object
        ),
        "confidence": np.where(confidence < 0, np.float32(np.nan), confidence),
    }
    if with_error or any(reasons):
        columns["error"] = pd.Series(reasons, dtype=object)
    for index, name in enumerate(_column_names(classes)):
        columns[name] = probabilities[:, index]
    return pd.DataFrame(columns)


def _column_names(classes: list[str]) -> list[str]:
    """Return the names of the classes' columns, other than those of the columns before them."""
    taken = {*_OWN, *classes}
    names = []
    for name in classes:
        column = name
        while column in _OWN or (column != name and column in taken):
            column = f"class {column}"
        names.append(column)
        taken.add(column)
    return names
