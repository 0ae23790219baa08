"""The galleries of the evaluation: test images with their predictions, within the page's room for images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from components.contracts import features as f
from components.contracts import predictions as recorded
from components.contracts.predictions import Predictions
from components.report import predictions, thumbnails
from components.report.run import BASELINE_PREDICTIONS, EXAMPLES, PREDICTIONS, Run

ROOM = 2_600_000  # characters of all images of the section; the page has room for 5 MB
OF_A_CLASS = 1_000  # characters less for each class, whose rows in the tables need them
LEAST_ROOM = 600_000
EACH_CELL = 24  # images of a cell of the confusion matrix, at most
LOOKED_UP = 600  # images of cells read and reduced, at most
SHOWN = 24  # images of a gallery
CHANGED = 12  # images shown that changed sides, each way


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Images of one kind: `count` there are, `cards` are shown."""

    key: str
    title: str
    note: str
    count: int
    cards: list[dict[str, Any]]


def read(run: Run) -> Predictions | None:
    """Return the recorded predictions; None if there are none."""
    folder = run.artifacts.get(PREDICTIONS)
    return recorded.read(folder) if folder else None


def view(run: Run, answers: Predictions | None, names: Sequence[str]) -> dict[str, Any]:
    """Return the galleries, the images that changed sides, and the images of the cells for the page's script."""
    if answers is None:
        return {"galleries": [], "changes": None, "page": {"cells": {}, "images": []}}
    before = recorded.read(run.artifacts[BASELINE_PREDICTIONS]) if BASELINE_PREDICTIONS in run.artifacts else None
    changes = predictions.changes(answers, before) if before is not None else None
    chosen = {
        "errors": predictions.mistakes(answers, SHOWN),
        "margins": predictions.narrow(answers, SHOWN),
        "right": predictions.examples(answers, SHOWN),
        "lost": changes.lost[:CHANGED] if changes else [],
        "gained": changes.gained[:CHANGED] if changes else [],
    }
    in_cells = list(predictions.cells(answers, EACH_CELL))[:LOOKED_UP]
    rows = [*(row for rows in chosen.values() for row in rows), *(row for _, _, row in in_cells)]
    examples = run.artifacts.get(EXAMPLES)
    sources = {str(answers.source[row]) for row in rows}
    uris = thumbnails.of_sources(examples, f.TEST, sources) if examples else {}
    room = Room(answers, names, uris, max(LEAST_ROOM, ROOM - OF_A_CLASS * len(names)))
    cards = {key: room.cards(rows) for key, rows in chosen.items()}
    right = int(answers.right.sum())
    return {
        "galleries": [
            Gallery(
                "errors", "Most confident errors", "The most confident first.", len(answers) - right, cards["errors"]
            ),
            Gallery(
                "margins",
                "Lowest margins",
                "The margin is the probability of the predicted class minus that of the second; the lowest first.",
                len(answers),
                cards["margins"],
            ),
            Gallery("right", "Right answers", "The most confident of each class.", right, cards["right"]),
        ],
        "changes": changes
        and {
            "p": changes.p,
            "gained": {"count": len(changes.gained), "cards": cards["gained"]},
            "lost": {"count": len(changes.lost), "cards": cards["lost"]},
        },
        "page": room.of_cells(in_cells),
    }


class Room:
    """Makes cards of images until the room for them is used up; an image is stored once."""

    def __init__(self, answers: Predictions, names: Sequence[str], uris: dict[str, str], characters: int) -> None:
        self._answers, self._names, self._uris, self._left = answers, names, uris, characters
        self._shown: set[int] = set()  # rows whose image stands in a gallery of the page

    def cards(self, rows: Iterable[int]) -> list[dict[str, Any]]:
        """Return the cards of a gallery."""
        cards = []
        for row in rows:
            source = str(self._answers.source[row])
            if source in self._uris and self._takes(row):
                self._shown.add(row)
                cards.append(
                    {
                        "row": row,
                        "uri": self._uris[source],
                        "source": source,
                        "name": self._names[int(self._answers.label[row])],
                        "answers": [(self._names[i], probability) for i, probability in self._best(row)],
                    }
                )
        return cards

    def of_cells(self, in_cells: Iterable[tuple[int, int, int]]) -> dict[str, Any]:
        """Return {"cells": {"true-predicted": [index of an image]}, "images": [...]}, as explore.js reads them.

        An image is [row, source, class, [[class, probability], ...], data URI]; without a URI, it is in a gallery.
        """
        cells: dict[str, list[int]] = {}
        images: list[list[Any]] = []
        for label, predicted, row in in_cells:
            source = str(self._answers.source[row])
            if source not in self._uris:
                continue
            stored = row in self._shown
            if not stored and not self._takes(row):
                continue
            cells.setdefault(f"{label}-{predicted}", []).append(len(images))
            uri = [] if stored else [self._uris[source]]
            images.append([row, source, label, self._best(row), *uri])
        return {"cells": cells, "images": images}

    def _takes(self, row: int) -> bool:
        """Take the room that an image needs; return False if there is not as much."""
        source = str(self._answers.source[row])
        needs = len(self._uris[source]) + len(source) + 150
        if needs > self._left:
            return False
        self._left -= needs
        return True

    def _best(self, row: int) -> list[tuple[int, float]]:
        probabilities = self._answers.probabilities[row]
        return [(int(i), round(float(probabilities[i]), 4)) for i in np.argsort(-probabilities, kind="stable")[:3]]
