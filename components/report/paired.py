"""The predictions of two runs for the images that both were tested on."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from components.contracts import counts, predictions
from components.contracts.predictions import Predictions
from components.intervals import mcnemar
from components.report.lost import Lost


class Tested(NamedTuple):
    """The predictions of a run, with the names of the classes that it numbers."""

    answers: Predictions
    names: list[str]

    def predicted(self, row: int) -> dict[str, Any]:
        """Return the predicted class of an image and its probability."""
        index = int(self.answers.predicted[row])
        name = self.names[index] if 0 <= index < len(self.names) else ""
        return {"predicted": name, "confidence": round(float(self.answers.confidence[row]), 4)}


def read(artifacts: dict[str, str], unreadable: Lost) -> Tested | None:
    """Return the recorded predictions of a run; None if there are none, or they cannot be read."""
    uri = artifacts.get("predictions")
    answers = unreadable.read("the answers", uri, predictions.read) if uri else None
    if answers is None:
        return None
    examples = artifacts.get("examples")
    counted = Lost().read("the data", examples, counts.read) if examples else None
    if counted:
        return Tested(answers, counted.class_names)
    known = dict(zip(answers.label.tolist(), answers.class_name.tolist()))  # a class without a test image has none
    return Tested(answers, [known.get(i, f"class {i}") for i in range(answers.probabilities.shape[1])])


def outcomes(a: Tested, b: Tested) -> dict[str, Any]:
    """Compare image by image.

    Images are paired by path and class, for models may number their classes differently. "pictures" says whether the
    test images are the same: same, some or other. "changed" are the images that only one run predicted correctly, the
    most confident error first, and "confusions" the kinds of error whose number changed.
    """
    rows = [_rows(run.answers) for run in (a, b)]
    shared = sorted(rows[0].keys() & rows[1].keys())
    if not shared:
        return {"pictures": "other", "shared": 0}
    of_a, of_b = (np.array([of[key] for key in shared]) for of in rows)
    before, now = a.answers.right[of_a], b.answers.right[of_b]
    changed = [
        {
            "source": shared[i][0],
            "class": shared[i][1],
            "right": "b" if now[i] else "a",
            "a": a.predicted(of_a[i]),
            "b": b.predicted(of_b[i]),
        }
        for i in np.flatnonzero(before != now)
    ]
    gained = sum(row["right"] == "b" for row in changed)
    given_up = len(changed) - gained
    return {
        "pictures": "same" if len(shared) == len(rows[0]) == len(rows[1]) else "some",
        "shared": len(shared),
        "a_right": int(before.sum()),
        "b_right": int(now.sum()),
        "gained": gained,
        "lost": given_up,
        "p": mcnemar(gained, given_up),
        "changed": sorted(changed, key=lambda row: -row["a" if row["right"] == "b" else "b"]["confidence"]),
        "confusions": _confusions(_errors(a, of_a), _errors(b, of_b)),
    }


def _rows(answers: Predictions) -> dict[tuple[str, str], int]:
    return {key: row for row, key in enumerate(zip(answers.source.tolist(), answers.class_name.tolist()))}


def _errors(run: Tested, rows: np.ndarray) -> Counter[tuple[str, str]]:
    """Count the errors by (class, predicted class)."""
    wrong = rows[~run.answers.right[rows]]
    return Counter((str(run.answers.class_name[row]), str(run.predicted(row)["predicted"])) for row in wrong)


def _confusions(a: Counter[tuple[str, str]], b: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the kinds of error whose number differs, the largest change first."""
    rows = [{"class": name, "predicted": other, "a": a[name, other], "b": b[name, other]} for name, other in a | b]
    return sorted(
        (row for row in rows if row["a"] != row["b"]),
        key=lambda row: (-abs(row["b"] - row["a"]), row["class"], row["predicted"]),
    )
