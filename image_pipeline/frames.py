"""What a run measured, as DataFrames; image_pipeline.Run says what is in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from components.contracts import features
from components.contracts.counts import Counts
from components.contracts.evaluation import CalibrationBin, Evaluation
from components.contracts.metrics import METRICS

_NAN = float("nan")


def classes(counted: Counts, measured: Mapping[str, Any] | None) -> pd.DataFrame:
    """Return a row a class: its images in each split, and, if the model was evaluated, how well it knows the class."""
    names = counted.class_names
    columns: dict[str, list[Any]] = {
        split: [counted.of_class(split, name) for name in names] for split in features.SPLITS
    }
    if measured is not None:
        results = {row["name"]: row for row in measured["classes"]}
        parts = {"recall": "value", "recall_low": "low", "recall_high": "high", "precision": "value", "f1": "value"}
        for column, part in parts.items():
            estimates = [results.get(name, {}).get(column.partition("_")[0]) for name in names]
            columns[column] = [estimate[part] if estimate else _NAN for estimate in estimates]
    return pd.DataFrame(columns, index=pd.Index(names, name="class"))


def metrics(measured: Mapping[str, Any]) -> pd.DataFrame:
    """Return a row a metric: its value, its interval, and the baseline's value."""
    before, rows = measured["baseline"] or {}, {}
    for name in METRICS:
        if name in measured:
            value = measured[name]
            parts = value if isinstance(value, dict) else {"value": value}
            rows[name] = [*(parts.get(key, _NAN) for key in ("value", "low", "high")), before.get(name, _NAN)]
    index = pd.Index(list(rows), name="metric")
    return pd.DataFrame(list(rows.values()), index, ["value", "low", "high", "baseline"], dtype="float64")


def history(epochs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a row an epoch, whose number is the index."""
    frame = pd.DataFrame(list(epochs)).rename(columns={"pictures_per_second": "images_per_second"})
    return frame.set_index("epoch")


def confusion(evaluation: Evaluation) -> pd.DataFrame:
    """Return the confusion matrix."""
    names = [row.name for row in evaluation.classes]
    labels, predicted = pd.Index(names, name="label"), pd.Index(names, name="predicted")
    return pd.DataFrame(evaluation.confusion_matrix, labels, predicted, dtype="int64")


def calibration(bins: Sequence[CalibrationBin]) -> pd.DataFrame:
    """Return a row a bin of the confidence."""
    rows = [(each.low, each.high, each.pictures, each.confidence, each.accuracy) for each in bins]
    frame = pd.DataFrame(rows, columns=["low", "high", "images", "confidence", "accuracy"], dtype="float64")
    return frame.astype({"images": "int64"})
