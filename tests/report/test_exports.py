"""The tables beside the page, read back."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from components.contracts.predictions import Predictions
from components.report import exports

NAMES = ["cat", "=cmd|'/c calc'!A1", 'a,b\n"c"']
SOURCES = ["test/cat/1.png", "+1.png", "@x,y.png", "-2.png", '猫 "quoted"\n.png']


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_prediction_is_a_row_and_no_cell_a_formula(tmp_path: Path) -> None:
    labels, predicted = np.array([0, 1, 2, 0, 1]), np.array([0, 2, 2, 1, 0])
    probabilities = np.full((5, 3), 0.1, np.float32)
    probabilities[np.arange(5), predicted] = [0.8, 0.5, 0.6, 0.9, 0.7]
    class_names = np.array(NAMES)[labels]
    exports.write(tmp_path, Predictions(np.array(SOURCES), class_names, labels, predicted, probabilities), NAMES)

    rows = read(tmp_path / "predictions.csv")
    assert [row["image"] for row in rows] == ["test/cat/1.png", "'+1.png", "'@x,y.png", "'-2.png", SOURCES[4]]
    assert [row["true"] for row in rows] == ["cat", f"'{NAMES[1]}", NAMES[2], "cat", f"'{NAMES[1]}"]
    assert [row["right"] for row in rows] == ["yes", "no", "yes", "no", "no"]
    assert rows[3] == {
        "image": "'-2.png",
        "true": "cat",
        "predicted": f"'{NAMES[1]}",
        "right": "no",
        "confidence": "0.900000",
        "margin": "0.800000",
        "probability_of_true": "0.100000",
    }
    errors = read(tmp_path / "errors.csv")
    assert errors == [rows[3], rows[4], rows[1]], "the most confident first"
