"""The section `evaluation` of the report, from the Evaluator's results and the recorded predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from components.contracts import advice, checks, gates
from components.contracts.evaluation import CalibrationBin, Evaluation, SliceResult
from components.contracts.metrics import METRICS, Metric, value_of
from components.contracts.predictions import Predictions
from components.intervals import Estimate
from components.report import charts, confusion, curves, exports, galleries, predictions, thresholds
from components.report.run import EVALUATION, Run


class Slice(NamedTuple):
    """A bin of images, with the errors that it has beyond those that the overall accuracy predicts."""

    by: str
    name: str
    pictures: int
    accuracy: Estimate
    excess: float


class Compared(NamedTuple):
    """A metric of candidate and baseline."""

    metric: Metric
    candidate: float
    baseline: float
    better: bool

    @property
    def difference(self) -> float:
        return self.candidate - self.baseline


def view(run: Run) -> dict[str, Any] | None:
    """Return what the template shows; None if nothing was evaluated.

    `page` holds what explore.js and confidence.js read; `answers` are the recorded predictions, None without them.
    """
    measured = run.evaluation
    if measured is None:
        return None
    names = [row.name for row in measured.classes]
    matrix = confusion.view(names, measured.confusion_matrix)
    answers = galleries.read(run)
    images = galleries.view(run, answers, names)
    of_answers = _of_answers(answers, names) if answers is not None else None
    precisions = of_answers["average_precision"] if of_answers else [None] * len(names)
    return {
        "measured": measured,
        "unequal": advice.unequal({row.name: row.pictures for row in measured.classes}),
        "names": names,
        "classes": sorted(measured.classes, key=lambda row: row.recall.value if row.recall else 2),
        "average_precision": dict(zip(names, precisions)),
        "averages": curves.averages(measured.classes, precisions),
        "slices": _slices(measured),
        "one_size": next((row.name for row in measured.slices if _is_whole(row, measured) and row.by == "size"), None),
        "matrix": matrix,
        "calibration": _calibration(measured.calibration),
        "comparison": _comparison(measured),
        "checks": _checks(run, measured),
        "galleries": images["galleries"],
        "changes": images["changes"],
        "answers": answers,
        "downloads": exports.FILES if answers is not None else (),
        "of_answers": of_answers,
        "page": {
            "names": names,
            "matrix": matrix["page"],
            **images["page"],
            **(of_answers["page"] if of_answers else {}),
        },
    }


def _of_answers(answers: Predictions, names: Sequence[str]) -> dict[str, Any]:
    """Return what is computed from the probabilities: thresholds, precision-recall curves, accuracy by coverage."""
    by_confidence = thresholds.histograms(answers, len(names))
    by_class = curves.of_classes(answers, len(names))
    coverage = {"answered": predictions.coverage(answers)}
    precisions = [curve.average_precision if curve else None for curve in by_class]
    return {
        "threshold": thresholds.DEFAULT,
        "steps": thresholds.STEPS,
        "overall": by_confidence.overall(thresholds.DEFAULT),
        "by_class": by_confidence.above(thresholds.DEFAULT),
        "average_precision": precisions,
        "coverage": charts.lines(
            "accuracy by coverage", coverage, "coverage (% of the images)", True, whole_x=False, y_label="accuracy"
        ),
        "page": {
            "confidences": by_confidence.pack(),
            "curves": curves.pack(by_class),
            "average_precision": [None if value is None else round(value, 6) for value in precisions],
        },
    }


def _slices(measured: Evaluation) -> list[Slice]:
    """Rank the bins of images by excess errors: their errors minus those that the overall accuracy predicts."""
    overall = measured.accuracy.value
    rows = [
        Slice(row.by, row.name, row.pictures, row.accuracy, row.pictures * (overall - row.accuracy.value))
        for row in measured.slices
        if not _is_whole(row, measured)
    ]
    return sorted(rows, key=lambda row: -row.excess)


def _is_whole(row: SliceResult, measured: Evaluation) -> bool:
    """Return True if every image is in this bin, which then says nothing."""
    return row.pictures == measured.pictures


def _calibration(bins: Sequence[CalibrationBin]) -> dict[str, Any] | None:
    filled = [bin for bin in bins if bin.pictures]
    if not filled:
        return None
    columns = ([getattr(bin, key) for bin in filled] for key in ("confidence", "accuracy", "pictures"))
    return {"svg": charts.calibration("accuracy by confidence", *columns), "bins": filled}


def _checks(run: Run, measured: Evaluation) -> list[checks.GateCheck]:
    """Check the model against the gates of its evaluation; empty if they are not known."""
    folder = run.artifacts.get(EVALUATION)
    return checks.check(gates.read(folder), measured.summary(), "the baseline") if folder else []


def _comparison(measured: Evaluation) -> list[Compared] | None:
    """Compare candidate and baseline, one row per metric; None without a baseline."""
    before = measured.baseline
    if before is None:
        return None
    rows = []
    for metric in METRICS.values():
        if metric.name in before and metric.name in measured.metrics:
            value = value_of(measured.metrics[metric.name])
            better = value != before[metric.name] and metric.is_better(value, before[metric.name])
            rows.append(Compared(metric, value, before[metric.name], better))
    return rows
