"""Tables beside the page, for spreadsheets and scripts: every prediction of the test, and the errors."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from components import files
from components.contracts.predictions import Predictions
from components.contracts.run_result import ERRORS_FILE, PREDICTIONS_FILE
from components.report import predictions

FILES = (PREDICTIONS_FILE, ERRORS_FILE)
COLUMNS = ("image", "true", "predicted", "right", "confidence", "margin", "probability_of_true")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of a formula


def write(folder: Path, answers: Predictions, names: Sequence[str]) -> None:
    """Write FILES into `folder`: all predictions in their order; the errors, the most confident first."""
    every = range(len(answers))
    errors = predictions.mistakes(answers, len(answers))
    for name, rows in ((PREDICTIONS_FILE, every), (ERRORS_FILE, errors)):
        write_csv(folder / name, COLUMNS, _rows(answers, names, rows))


def _rows(answers: Predictions, names: Sequence[str], rows: Sequence[int]) -> Iterable[Sequence[str]]:
    confidence, margin = answers.confidence, predictions.margin(answers)
    known = answers.label < answers.probabilities.shape[1]
    of_label = answers.probabilities[np.arange(len(answers)), np.where(known, answers.label, 0)] * known
    for row in rows:
        yield (
            str(answers.source[row]),
            names[int(answers.label[row])],
            names[int(answers.predicted[row])],
            "yes" if answers.label[row] == answers.predicted[row] else "no",
            *(f"{float(column[row]):.6f}" for column in (confidence, margin, of_label)),
        )


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file (RFC 4180, UTF-8) in which no cell is a formula: such text begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    files.write_atomic(path, text.getvalue())


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
