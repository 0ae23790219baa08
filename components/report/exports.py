"""Tables beside the page, for spreadsheets and scripts: every prediction of the test, and the errors."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from components import files
from components.contracts.predictions import Predictions
from components.contracts.run_result import ERRORS_FILE, PREDICTIONS_FILE
from components.report import predictions

FILES = (PREDICTIONS_FILE, ERRORS_FILE)
COLUMNS = ("image", "true", "predicted", "right", "confidence", "margin", "probability_of_true")
_PART = 10_000  # rows made at a time
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of a formula


def write(folder: Path, answers: Predictions, names: Sequence[str]) -> None:
    """Write FILES into `folder`: all predictions in their order; the errors, the most confident first."""
    errors = np.array(predictions.mistakes(answers, len(answers)), int)
    for name, rows in ((PREDICTIONS_FILE, np.arange(len(answers))), (ERRORS_FILE, errors)):
        write_csv(folder / name, COLUMNS, _rows(answers, names, rows))


def _rows(answers: Predictions, names: Sequence[str], rows: np.ndarray) -> Iterator[Sequence[str]]:
    known = answers.label < answers.probabilities.shape[1]  # by the model
    of_label = answers.probabilities[np.arange(len(answers)), np.where(known, answers.label, 0)] * known
    numbers = (answers.confidence, predictions.margin(answers), of_label)
    columns = (answers.source, answers.label, answers.predicted, answers.right, *numbers)
    for start in range(0, len(rows), _PART):
        part = rows[start : start + _PART]
        for source, label, predicted, right, *shares in zip(*(column[part].tolist() for column in columns)):
            yield source, names[label], names[predicted], "yes" if right else "no", *(f"{x:.6f}" for x in shares)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file (RFC 4180, UTF-8) in which no cell is a formula: such text begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    files.write_atomic(path, text.getvalue())


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
