"""The model card of a pushed model, as Markdown and as a page: its use, quality and limits.

The sections are those of Mitchell et al., "Model cards for model reporting" (2019).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contracts import features as f
from components.contracts.checks import GateCheck
from components.contracts.predictions import Predictions
from components.contracts.statistics import Moments
from components.contracts.training import Pretrained
from components.report import page
from components.report.lost import Lost
from components.report.run import Page

if TYPE_CHECKING:
    from components.report.thumbnails import Thumbnail

FEW = 30  # test images of a class; the interval of fewer is so wide that the class was hardly measured
CONFUSIONS = 5  # pairs of classes listed
MATRIX = 20  # classes; of more, only the confusions are listed
SAMPLES = 200  # test images shown
MOST_OF_A_CLASS = 8
READ = 5_000  # images at most among which they are looked for
FIT = {
    "squash": "where an image is not square, its proportions are lost",
    "crop": "of an image that is not square, the largest square in its middle is used, and nothing else",
    "pad": "an image that is not square gets two bars of grey",
}
MEASURES = (f.HEIGHT, f.WIDTH, f.BRIGHTNESS, f.CONTRAST, f.SHARPNESS)


@dataclasses.dataclass(frozen=True)
class Card:
    """The content of a model card.

    Attributes:
      name, version, path: as which it was pushed, and where to.
      runs: the ids of the runs that `trained`, `evaluated` and `pushed` it.
      when: it was pushed.
      size: pixels, height and width of the model's input.
      reduced_to: pixels of the longer side, to which images were reduced before training; None where none was.
      fit: how an image that is not square becomes so, as in the configuration; None where that is lost.
      parameters: of the model; None where the record of its training is lost.
      pretrained: the weights that its training began with; None where they were random, or the record is lost.
      training: the settings of the Trainer.
      libraries: their versions when it was trained.
      source, fingerprint, files: where the images came from, the hash of their bytes, and how many files that were.
      counts: images by split and class.
      measures: by measure and split, of the images.
      metrics: as in result.json.
      baseline: the version that it was compared with; None without one.
      checks: the gates and their outcomes.
      recorded: the predictions that ServingCheck recorded; None if there are none.
      lineage: {"id", "key", "stage", "run_id", "read"} of each artifact that it was made from, the nearest first.
      lost: a line for each artifact that could not be read.
      owner, data_licence: as the configuration's section `card` states them; None where it does not.
      examples: URI of the data that it was trained on and evaluated with.
      pages: that exist, of the runs.
    """

    name: str
    version: str
    path: str
    runs: dict[str, str]
    when: str
    size: int | None
    parameters: int | None
    training: dict[str, Any]
    libraries: dict[str, str]
    source: str
    fingerprint: str
    files: int
    counts: dict[str, dict[str, int]]
    measures: dict[str, dict[str, Moments]]
    metrics: dict[str, Any]
    baseline: str | None
    checks: list[GateCheck]
    recorded: Predictions | None
    lineage: list[dict[str, Any]]
    lost: list[str] = dataclasses.field(default_factory=list)
    reduced_to: int | None = None
    fit: str | None = None
    pretrained: Pretrained | None = None
    owner: str | None = None
    data_licence: str | None = None
    examples: str | None = None
    pages: Sequence[Page] = ()

    def total(self, split: str) -> int:
        return sum(self.counts.get(split, {}).values())


def write(card: Card, text: Path, html: Path) -> None:
    """Write the card as Markdown to `text` and as a page to `html`."""
    mixed_up, missed = confusions(card.recorded), Lost()
    values: dict[str, Any] = {
        "card": card,
        "splits": f.SPLITS,
        "uses": intended_use(card),
        "limits": limits(card, mixed_up),
        "matrix": confusion_matrix(card),
        "confusions": mixed_up[:CONFUSIONS],
        "samples": _samples(card, missed),
        "lost": [*card.lost, *missed.notes],
    }
    page.write("card.md", text, **values)
    page.write("card.html", html, scripts=("report.js", "tables.js"), **values)


def confusion_matrix(card: Card) -> list[list[int]]:
    """Return the test images by [class][predicted class]; empty without predictions, or with too many classes."""
    classes = len(card.metrics["classes"])
    if card.recorded is None or classes > MATRIX:
        return []
    matrix = [[0] * classes for _ in range(classes)]
    for label, predicted in zip(card.recorded.label.tolist(), card.recorded.predicted.tolist()):
        if predicted >= 0:  # else the probabilities were not finite
            matrix[label][predicted] += 1
    return matrix


def _samples(card: Card, missed: Lost) -> dict[str, list[Thumbnail]]:
    """Return a few test images of each class, as far as they fit; empty where the data is gone."""
    from components.report import thumbnails  # imports TensorFlow

    names = [row["name"] for row in card.metrics["classes"]][:SAMPLES]
    each = min(MOST_OF_A_CLASS, SAMPLES // len(names))

    def read(uri: str) -> dict[str, list[Thumbnail]]:
        return thumbnails.of_classes(uri, f.TEST, names, each, READ)

    samples = missed.read("sample images", card.examples, read) if card.examples else None
    return {name: images for name, images in (samples or {}).items() if images}


def intended_use(card: Card) -> list[str]:
    """Return the intended use, as far as the data shows it."""
    classes = card.metrics["classes"]
    ranges = [
        f"{name} {mean:.3g} ± {deviation:.2g}"
        for name, by_split in card.measures.items()
        for mean, deviation in [by_split.get(f.TRAIN, Moments(0.0, 0.0))]
    ]
    lines = [
        f"Classifies an image as one of {len(classes):,} classes, with a probability for each.",
    ]
    if card.counts:
        lines.append(
            f"Made for images like the {card.total(f.TRAIN):,} that it was trained on"
            + (f" (mean ± standard deviation: {', '.join(ranges)})." if ranges else ".")
        )
    if card.size:
        fit = f": {FIT[card.fit]}" if card.fit in FIT else ""
        lines.append(
            f"Takes JPEG, PNG, GIF and BMP of any size, and scales them to {card.size} x {card.size} pixels{fit}."
        )
    if card.reduced_to:
        lines.append(
            f"Of the images that it was made with, larger ones were first reduced to {card.reduced_to:,} pixels on the "
            "longer side, as `image-pipeline predict` does; without that, predictions for such images differ slightly."
        )
    return lines


def limits(card: Card, mixed_up: list[tuple[str, str, int]]) -> list[str]:
    """Return where the model should not be relied on, as far as the figures show."""
    metrics = card.metrics
    lines = ["It knows no other class: an image of anything else is still classified as one of its own."]
    few = [row["name"] for row in metrics["classes"] if row["pictures"] < FEW]
    if few:
        lines.append(f"{_classes(few)} {_was(few)} tested on fewer than {FEW} images: their intervals are wide.")
    average = metrics["accuracy"]["low"]
    weak = [row["name"] for row in metrics["classes"] if row["recall"] and row["recall"]["high"] < average]
    if weak:
        lines.append(f"{_classes(weak)} {_was(weak)} predicted significantly worse than the average.")
    if mixed_up:
        name, predicted, count = mixed_up[0]
        lines.append(
            f"The most frequent error: {name!r} predicted as {predicted!r}, {count:,} times on the test images."
        )
    error = metrics["expected_calibration_error"]
    lines.append(
        f"Its confidence differs from its accuracy by {error * 100:.1f} points on average (expected calibration error)."
    )
    if metrics.get("unanswered"):
        lines.append(f"{metrics['unanswered']:,} test images got no finite prediction.")
    lines.append(
        "The test images come from the same source as the training images: on others it may be worse, and the metrics "
        "do not say by how much."
    )
    lines.append(
        "It does not apply EXIF orientation: photographs that a phone marked as turned must be turned upright "
        "before they are sent."
    )
    if not card.data_licence:
        lines.append("The licence of the data that it was trained on is not stated: whether it may be used is open.")
    if card.pretrained:
        lines.append(
            f"Its training began with the weights {card.pretrained.weights}: what is one-sided in the images that "
            "those were trained on may be so in it too."
        )
    lines.append("No subgroup evaluation (people, location, time) was done.")
    return lines


def confusions(answers: Predictions | None) -> list[tuple[str, str, int]]:
    """Return (class, predicted class, images) of every kind of error, the most frequent first."""
    if answers is None:
        return []
    # Labels and answers are indices into the same names; a class without a test image has none here.
    names = dict(zip(answers.label.tolist(), answers.class_name.tolist()))
    wrong = ~answers.right
    pairs = Counter(zip(answers.class_name[wrong].tolist(), answers.predicted[wrong].tolist()))
    confused = [(name, names.get(predicted, f"class {predicted}"), count) for (name, predicted), count in pairs.items()]
    return sorted(confused, key=lambda pair: (-pair[2], pair[:2]))


def _classes(names: list[str]) -> str:
    if len(names) > 6:
        return f"{len(names):,} classes"
    return f"{'Class' if len(names) == 1 else 'Classes'} {', '.join(map(repr, names))}"


def _was(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"
