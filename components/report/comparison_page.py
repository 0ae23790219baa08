"""The page that compares two runs, and the wording that it shares with the command."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contracts import features as f
from components.contracts.metrics import METRICS
from components.report import page
from components.report.comparison import ComparedRun
from components.report.lost import Lost
from components.report.run import Page
from components.text import printable

if TYPE_CHECKING:
    from components.report.charts import Curve, Points

CHANGED = 60  # images shown that only one run got right, each way
ROOM = 1_500_000  # characters of them, each way
CONFUSIONS = 20  # kinds of error listed


def write(
    comparison: dict[str, Any],
    runs: Sequence[ComparedRun],
    reports: Sequence[Path],
    path: Path,
    pages: Sequence[Page] = (),
) -> None:
    """Write the page of a comparison to `path`, with links to `pages` and to the reports of the two runs that exist."""
    words: dict[str, Any] = {"value": value, "change": change, "in_words": in_words}
    unreadable = Lost()
    outcomes = (comparison["metrics"] or {}).get("both", {})
    page.write(
        "compare.html",
        path,
        comparison=comparison,
        compared=runs,
        verdicts=[page.verdict(run.result) for run in runs],
        links=[page.link(str(report), path.parent) if report.exists() else None for report in reports],
        curves=_curves(comparison["training"]),
        changed=_changed(outcomes.get("changed", []), runs, unreadable),
        confusions=outcomes.get("confusions", [])[:CONFUSIONS],
        lost=unreadable.notes,
        pages=pages,
        **words,
    )


# ----------------------------------------------------------------------------------------------------------- the curves
def _curves(epochs: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Draw accuracy and loss of both runs on shared axes; one run alone where the other trained nothing."""
    if epochs is None:
        return []
    from components.report import charts  # takes a moment to import

    both = {"a": "both"} if epochs["same"] else {"a": "first", "b": "second"}

    def chart(title: str, unit: str, keys: Mapping[str, str]) -> dict[str, Any]:
        curves: list[Curve] = [
            charts.Curve(f"{word}, {split}", _points(epochs[side], key), colour, split == "training")
            for colour, (side, word) in enumerate(both.items())
            for split, key in keys.items()
            if epochs[side]
        ]
        svg = charts.overlay(f"{title} of both runs by epoch", curves, "epoch", unit, percent=title == "Accuracy")
        return {"title": title, "svg": svg}

    return [
        chart("Accuracy", "accuracy", {"validation": "val_accuracy", "training": "accuracy"}),
        chart("Loss", "cross entropy (nats)", {"validation": "val_loss", "training": "loss"}),
    ]


def _points(epochs: Sequence[Mapping[str, Any]], key: str) -> Points:
    """Return the curve of a measure, with a gap between the networks of an ensemble."""
    x: list[float] = []
    y: list[float] = []
    for number, epoch in enumerate(epochs, start=int(epochs[0]["epoch"])):
        if x and epoch["epoch"] == epochs[0]["epoch"]:
            x.append(number)
            y.append(math.nan)
        x.append(number)
        y.append(epoch[key])
    return x, y


# ----------------------------------------------------------------------------------------------------------- the images
def _changed(
    rows: Sequence[Mapping[str, Any]], runs: Sequence[ComparedRun], unreadable: Lost
) -> dict[str, dict[str, Any]]:
    """Return the images that only one run predicted correctly, by the run: "count", "by_class" and "cards" that fit."""
    by_run = {side: [row for row in rows if row["right"] == side] for side in ("b", "a")}
    wanted = {str(row["source"]) for of_run in by_run.values() for row in of_run[:CHANGED]}
    uris: dict[str, str] = {}
    for run in reversed(runs):
        examples = run.artifacts.get("examples")
        if examples and wanted - uris.keys():
            uris |= _images(examples, wanted - uris.keys(), unreadable)
    galleries = {}
    for side, of_run in by_run.items():
        room, cards = ROOM, []
        for row in of_run[:CHANGED]:
            uri = uris.get(row["source"])
            room -= len(uri or "") + 500
            if room < 0:
                break
            cards.append({**row, "uri": uri})
        by_class = Counter(row["class"] for row in of_run)
        galleries[side] = {"count": len(of_run), "cards": cards, "by_class": by_class}
    return galleries


def _images(examples: str, sources: set[str], unreadable: Lost) -> dict[str, str]:
    from components.report import thumbnails  # imports TensorFlow

    return unreadable.read("the images", examples, lambda uri: thumbnails.of_sources(uri, f.TEST, sources)) or {}


# ------------------------------------------------------------------------------------------------------------ the words
def in_words(paired: dict[str, Any], level: float) -> str:
    """Return the result of McNemar's test as a sentence."""
    verdict = "significant" if paired["p"] < level else "not significant"
    return (
        f"Of {paired['shared']:,} shared images, {paired['gained']:,} only the second run got right and "
        f"{paired['lost']:,} only the first: McNemar's p = {paired['p']:.3g}, {verdict}"
    )


def change(row: dict[str, Any]) -> str:
    """Return the difference of a metric in its unit, and whether it is better."""
    if row["difference"] is None:
        return ""
    if row["better"] is None:
        return "the same"
    difference = METRICS[row["name"]].format_difference(row["difference"])
    if not any(digit in difference for digit in "123456789"):
        return "the same to the digits shown"
    return f"{difference}, {'better' if row['better'] else 'worse'}"


def value(of: Any) -> str:
    """Return a value of the configuration as text; a dash if there is none."""
    return "-" if of is None else printable(of if isinstance(of, str) else json.dumps(of), 60)
