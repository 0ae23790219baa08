"""Killed at any moment, the same command goes on, and ends as if nothing had happened."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.datasets import write_folder
from tests.faults.kills import Figures, Runs, chain

pytestmark = pytest.mark.slow


def test_killed_in_the_training_and_while_pushing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The short version: two kills after a checkpoint was written, one when the version is there but not recorded."""
    data = write_folder(tmp_path / "numbers", train=20, test=10)
    whole = Runs(tmp_path / "whole", data)
    undisturbed = whole.start()
    runs, figures = Runs(tmp_path / "killed", data), Figures()
    chain(runs, ["training", "training", "pushing"], random.Random(0), 0, figures)
    assert undisturbed.wait(600) == 0
    assert figures.kills == 3
    assert figures.resumed == 2
    assert runs.weights() == whole.weights()
    for name, value in figures.items().items():
        record_property(name, value)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(4))
def test_killed_a_hundred_times(seed: int, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """A quarter of them each, so that `make chaos ARGS="-n 2"` makes use of two cores."""
    data = write_folder(tmp_path / "numbers", train=20, test=10)
    whole = Runs(tmp_path / "whole", data)
    began = time.monotonic()
    whole.finish()
    span, weights, draw, figures = time.monotonic() - began, whole.weights(), random.Random(seed), Figures()
    while figures.kills < 25:
        runs = Runs(tmp_path / f"killed{figures.chains}", data)
        hows = draw.choices(["any", "training"], [2, 3], k=draw.randrange(6, 14))
        chain(runs, [*hows, "pushing"], draw, 0.6 * span, figures)
        assert runs.weights() == weights
    assert figures.resumed >= 5
    for name, value in figures.items().items():
        record_property(name, value)
