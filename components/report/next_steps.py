"""What to do next, from what a run found: a few sentences, each with a link to where the page shows it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple

from components.contracts import checks
from components.contracts import features as f
from components.contracts.run_result import FAILED, INTERRUPTED, REFUSED, Result, state
from components.text import printable

FEW = 0.5  # of the median number of training images: a class with fewer is short of images


class NextStep(NamedTuple):
    """A piece of advice.

    Attributes:
      text: for people.
      href: the part of the page that it is about; empty if there is none.
      title: of that part.
      command: to type; empty if there is none.
    """

    text: str
    href: str = ""
    title: str = ""
    command: str = ""


def view(result: Result, command: str, data: Any, training: Any, evaluation: Any) -> list[NextStep]:
    """Return the advice, the most important first. `data`, `training` and `evaluation` are the sections, or None."""
    how = state(result)
    if how == INTERRUPTED:
        return [
            NextStep(
                "Resume: the stages that are done are kept, and a training continues where it stopped.", command=command
            )
        ]
    if how == FAILED:
        return [NextStep("Remove the cause, then run again: the stages that are done are kept.", command=command)]
    if data and any(finding["action"] == "stop" for finding in data["findings"]):
        return []  # each finding says what to do
    steps = list(_of_the_model(result, data, evaluation)) if evaluation else []
    if how == REFUSED and steps:
        steps.insert(
            0,
            NextStep(
                "The checks that failed are above, with what is missing. Improve the data or the training (below), or "
                "set a lower threshold if it asks for more than is needed: evaluator.min_accuracy, evaluator.gates."
            ),
        )
    if training and training["gap"]:
        steps.insert(0, NextStep(f"{training['gap']}.", "#training-title", "Training"))
    return steps


def _of_the_model(result: Result, data: Any, evaluation: Any) -> Iterator[NextStep]:
    measured = result.metrics or {}
    name, share = checks.majority(measured)
    if measured["accuracy"]["low"] < share:
        yield NextStep(
            f"The model is not shown to be better than always predicting '{printable(name)}' ({share:.2%}): check the "
            "labels, train for more epochs, or add images."
        )
    if pairs := evaluation["matrix"]["top"]:
        pair = pairs[0]
        yield NextStep(
            f"Most confused: {pair.images:,} of {pair.of:,} images of '{printable(pair.name)}' are predicted as "
            f"'{printable(pair.predicted)}'. Look whether these images are labelled correctly.",
            "#top-confusions",
            "Top confusions",
        )
    if data and (short := _short_of_images(data, evaluation)):
        yield short
    if any(gallery.key == "errors" and gallery.count for gallery in evaluation["galleries"]):
        yield NextStep(
            "Errors with a high confidence are often wrong labels: correct them in the data and run again.",
            "#errors",
            "Images",
        )


def _short_of_images(data: Any, evaluation: Any) -> NextStep | None:
    """Return advice on the class with the lowest recall, if it has far fewer training images than others."""
    images = {row["name"]: row["counts"][f.TRAIN] for row in data["classes"]}
    worst = next((row for row in evaluation["classes"] if row.recall), None)
    if worst is None or worst.name not in images:
        return None
    middle = statistics.median(images.values())
    if images[worst.name] >= FEW * middle:
        return None
    return NextStep(
        f"'{printable(worst.name)}' has the lowest recall ({worst.recall.value:.1%}) and {images[worst.name]:,} "
        f"training images, where the median class has {middle:,.0f}: "
        "add images of it, or set trainer.class_weights=balanced.",
        "#per-class",
        "Per-class metrics",
    )
