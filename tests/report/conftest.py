"""Run directories of real runs, small and made once."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from components.contracts.run_result import Result
from tests.end_to_end.support import run, store_of, write_folder

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
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("history") / "runs"
    pictures = write_folder(folder.parent / "pictures", train=20, test=10)
    first = run(folder, pictures, *LENIENT)
    second = run(folder, pictures, "evaluator.min_accuracy=1", "trainer.learning_rate=1e-9")
    # A training's checkpoints belong to its run directory: a copy of one would train again.
    (folder.parent / "elsewhere" / "pictures" / "1").mkdir(parents=True)  # taken: the push makes version 2
    again = run(folder, pictures, *LENIENT, f"serving.dir={folder.parent / 'elsewhere'}")
    fewer = write_folder(folder.parent / "fewer", train=18, test=10)
    for split in ("train", "test"):
        shutil.rmtree(fewer / split / "two")
    other = run(folder, fewer, *LENIENT, "trainer.epochs=1")
    return History(folder, pictures, first, second, again, other)


def copied(folder: Path, copy: Path) -> Path:
    """A copy of a run directory, which ML Metadata knows under its new paths."""
    shutil.copytree(folder, copy)
    store = store_of(copy)
    artifacts = store.get_artifacts()
    for one in artifacts:
        one.uri = one.uri.replace(str(folder), str(copy))
        if "pushed_destination" in one.custom_properties:
            path = one.custom_properties["pushed_destination"]
            path.string_value = path.string_value.replace(str(folder), str(copy))
    store.put_artifacts(artifacts)
    return copy
