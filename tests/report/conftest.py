"""Run directories of real runs, small and made once."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from pipeline.result import Result
from tests.end_to_end.support import run, write_folder

LENIENT = ("evaluator.min_accuracy=0.3", "evaluator.min_class_recall=0")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, Result]:
    """(run directory, a first run that is pushed, a second one that is refused)."""
    root = tmp_path_factory.mktemp("runs")
    pictures = write_folder(root / "pictures", train=20, test=10)
    first = run(root / "runs", pictures, *LENIENT)
    second = run(root / "runs", pictures, "evaluator.min_accuracy=1", "trainer.learning_rate=1e-9")
    return root / "runs", first, second


@dataclasses.dataclass(frozen=True)
class History:
    """`first` and `second` as above; `again` is the first with its model from the cache, pushed once more; `other` has
    other data, with a class less."""

    folder: Path
    pictures: Path
    first: Result
    second: Result
    again: Result
    other: Result


@pytest.fixture(scope="session")
def history(runs: tuple[Path, Result, Result], tmp_path_factory: pytest.TempPathFactory) -> History:
    folder, first, second = runs
    mine = tmp_path_factory.mktemp("history") / "runs"
    shutil.copytree(folder, mine)
    pictures = folder.parent / "pictures"
    again = run(mine, pictures, *LENIENT)
    fewer = write_folder(mine.parent / "fewer", train=18, test=10)
    for split in ("train", "test"):
        shutil.rmtree(fewer / split / "two")
    other = run(mine, fewer, *LENIENT, "trainer.epochs=1")
    return History(mine, pictures, first, second, again, other)
