"""The section `evaluation` of the report, from the Evaluator's results and the recorded predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from components.contracts import advice, checks, gates
from components.contracts import features as f
from components.contracts import predictions as recorded
from components.contracts.evaluation import CalibrationBin, Evaluation, SliceResult
from components.contracts.metrics import METRICS, Metric, value_of
from components.contracts.predictions import Predictions
from components.intervals import Estimate
from components.report import charts, predictions, thumbnails
from components.report.run import BASELINE_PREDICTIONS, EVALUATION, EXAMPLES, PREDICTIONS, Run

EACH_CELL = 24  # images of a cell of the confusion matrix, at most
ROOM = 2_800_000  # characters of images in all of them
MISTAKES = 24
CHANGED = 12  # images shown that changed sides, each way
CONFUSIONS = 12  # pairs of classes listed
STEPS = (1.0, 0.95, 0.9, 0.8, 0.5)  # of coverage, in words


class Slice(NamedTuple):
    """A bin of images, with the errors that it has beyond those that the overall accuracy predicts."""

    by: str
    name: str
    pictures: int
    accuracy: Estimate
    excess: float


class Confusion(NamedTuple):
    """A cell of the confusion matrix off its diagonal."""

    name: str
    predicted: str
    images: int
    of: int  # images of the class
    cell: str  # its key on the page


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
    """Return what the template shows; None if nothing was evaluated."""
    measured = run.evaluation
    if measured is None:
        return None
    names = [row.name for row in measured.classes]
    values: dict[str, Any] = {
        "measured": measured,
        "unequal": advice.unequal({row.name: row.pictures for row in measured.classes}),
        "names": names,
        "classes": sorted(measured.classes, key=lambda row: row.recall.value if row.recall else 2),
        "slices": _slices(measured),
        "one_size": next((row.name for row in measured.slices if _is_whole(row, measured) and row.by == "size"), None),
        "confusions": _confusions(names, measured.confusion_matrix),
        "calibration": _calibration(measured.calibration),
        "comparison": _comparison(measured),
        "checks": _checks(run, measured),
        "pictures": {"cells": {}, "pictures": []},
        "changes": None,
    }
    folder = run.artifacts.get(PREDICTIONS)
    answers = recorded.read(folder) if folder else None
    if answers is not None:
        values |= _galleries(run, answers, names)
        steps = predictions.coverage(answers)
        curve = {"answered": ([step.coverage for step in steps], [step.accuracy for step in steps])}
        values["coverage"] = {
            "svg": charts.lines("accuracy by coverage", curve, "coverage (share of the images)", True, whole_x=False),
            "steps": [min(steps, key=lambda step: abs(step.coverage - share)) for share in STEPS],
        }
    return values


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


def _galleries(run: Run, answers: Predictions, names: Sequence[str]) -> dict[str, Any]:
    """Return the galleries: the images of each cell, the most confident errors, and those that changed sides."""
    wrong = predictions.mistakes(answers, MISTAKES)
    in_cells = list(predictions.cells(answers, EACH_CELL))
    changes = None
    if folder := run.artifacts.get(BASELINE_PREDICTIONS):
        before = recorded.read(folder)
        changes = predictions.changes(answers, before) if before is not None else None
    changed = [*changes.gained[:CHANGED], *changes.lost[:CHANGED]] if changes else []
    sources = {str(answers.source[row]) for row in (*wrong, *changed, *(row for _, _, row in in_cells))}
    examples = run.artifacts.get(EXAMPLES)
    uris = thumbnails.of_sources(examples, f.TEST, sources) if examples else {}

    def cards(rows: Iterable[int]) -> list[dict[str, Any]]:
        candidates = [_card(answers, row, names, uris) for row in rows]
        return [card for card in candidates if card is not None]

    cells: dict[str, list[int]] = {}
    gallery: list[dict[str, Any]] = []
    room = ROOM
    for label, predicted, row in in_cells:
        card = _card(answers, row, names, uris)
        room -= len(card["uri"]) + len(card["source"]) + 150 if card else 0
        if room < 0:
            break
        if card:
            cells.setdefault(f"{label}-{predicted}", []).append(len(gallery))
            gallery.append(card)
    return {
        "mistakes": {"count": int((~answers.right).sum()), "cards": cards(wrong)},
        "pictures": {"cells": cells, "pictures": gallery},
        "changes": changes
        and {
            "p": changes.p,
            "gained": {"count": len(changes.gained), "cards": cards(changes.gained[:CHANGED])},
            "lost": {"count": len(changes.lost), "cards": cards(changes.lost[:CHANGED])},
        },
    }


def _card(answers: Predictions, row: int, names: Sequence[str], uris: dict[str, str]) -> dict[str, Any] | None:
    """Return an image with its class and the top three predictions."""
    source = str(answers.source[row])
    if source not in uris:
        return None
    best = answers.probabilities[row].argsort()[::-1][:3]
    return {
        "uri": uris[source],
        "source": source,
        "name": names[int(answers.label[row])],
        "answers": [[names[int(i)], round(float(answers.probabilities[row][i]), 4)] for i in best],
    }


def _confusions(names: Sequence[str], matrix: Sequence[Sequence[int]]) -> list[Confusion]:
    """Return the top confusions."""
    pairs = [
        Confusion(names[i], names[j], count, sum(row), f"{i}-{j}")
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if count and i != j
    ]
    return sorted(pairs, key=lambda pair: -pair.images)[:CONFUSIONS]


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
