"""The served model's predictions for the test images: files of ServingCheck, one array per column, one row per image.

Needs only NumPy, because the client that writes them has little else.
"""

from __future__ import annotations

import dataclasses
import io

import numpy as np

from components import files
from components.contracts import features as f

PREDICTIONS_FILE = "predictions-{part:05d}.npz"
_PATTERN = "predictions-*.npz"
# The columns in the files, in the order of the fields.
_COLUMNS = (f.SOURCE, f.CLASS_NAME, f.LABEL, f.CLASS_INDEX, f.PROBABILITIES)


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The model's predictions, one row per image.

    `source` and `class_name` str [N], `label` and `predicted` int64 [N], `probabilities` float32 [N, K].
    """

    source: np.ndarray
    class_name: np.ndarray
    label: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """True where the prediction is right, bool [N]."""
        return self.label == self.predicted

    @property
    def confidence(self) -> np.ndarray:
        """The probability of each prediction, float32 [N]."""
        return self.probabilities.max(axis=1)

    def __len__(self) -> int:
        return len(self.source)


def concatenate(parts: list[Predictions]) -> Predictions:
    """Join predictions, in their order."""
    columns = zip(*(vars(part).values() for part in parts))
    return Predictions(*(np.concatenate(column) for column in columns))


def write(folder: str, part: int, predictions: Predictions) -> None:
    """Write the file number `part` into the artifact at `folder`."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **dict(zip(_COLUMNS, vars(predictions).values())))
    files.write(f"{folder}/{PREDICTIONS_FILE.format(part=part)}", packed.getvalue())


def read(folder: str) -> Predictions | None:
    """Read all files of the artifact at `folder`; None if there are no predictions."""
    parts = []
    for path in files.glob_in(folder, _PATTERN):
        with np.load(io.BytesIO(files.read_bytes(path)), allow_pickle=False) as columns:
            parts.append(Predictions(*(columns[name] for name in _COLUMNS)))
    return concatenate(parts) if parts else None
