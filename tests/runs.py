"""Runs of the whole chain on small data, in this process, and what came of them."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import Any

from components.contracts.run_result import Result
from pipeline import config as configs
from pipeline.platforms.local import runner
from pipeline.tracking import metadata
from tests.datasets import write_folder

RESOLVERS = ("PreviousData", "Baseline")
# Small and quick, yet a model that the gates let through.
QUICK = ("trainer.epochs=6", "trainer.width=8", "trainer.batch_size=16", "trainer.flip=false", "transform.size=16")
# Pushed, whatever it has learned.
LENIENT = ("evaluator.min_accuracy=0", "evaluator.min_class_recall=0")


def run(run_dir: Path, source: Path | str, *settings: str, first: str | None = None, last: str | None = None) -> Result:
    return screen_of(run_dir, source, *settings, first=first, last=last)[0]


def screen_of(
    run_dir: Path, source: Path | str, *settings: str, first: str | None = None, last: str | None = None
) -> tuple[Result, str]:
    """A run and what it printed where there is no terminal, the closing lines included."""
    from pipeline.runs import summary

    config, _ = configs.load(None, None, (f"data.source={source}", f"run_dir={run_dir}", *QUICK, *settings))
    with tempfile.TemporaryFile("w+") as screen:
        result = runner.run(config, first, last, screen)
        summary.show(result, screen)
        screen.seek(0)
        return result, screen.read()


def executed(result: Result) -> list[str]:
    """The stages that ran; the resolvers only look, and always do."""
    return [name for name, stage in result.stages.items() if stage["state"] == "done" and name not in RESOLVERS]


def artifact(run_dir: Path, stage: str, key: str, run_id: str | None = None) -> Any:
    """What a stage of a run put out, of the latest run if none is named."""
    store = store_of(run_dir)
    found = run_id or metadata.runs(store)[0].id
    return metadata.stages(store, found)[stage].outputs[key][-1]


def store_of(run_dir: Path) -> Any:
    return metadata.open_store(configs.load("digits", None, (f"run_dir={run_dir}",))[0])


@dataclasses.dataclass(frozen=True)
class History:
    """Four runs in one run directory.

    Attributes:
      first: pushed as version 1 of `pictures`.
      second: of `pictures`, refused.
      again: the same as the first, its model from the cache, pushed as version 2 to another folder.
      other: of other data, `fewer`, with a class less; pushed as version 1.
    """

    folder: Path
    pictures: Path
    first: Result
    second: Result
    again: Result
    other: Result


def make_history(root: Path) -> History:
    folder, pictures = root / "runs", write_folder(root / "pictures", train=20, test=10)
    lenient = ("evaluator.min_accuracy=0.3", "evaluator.min_class_recall=0")
    first = run(folder, pictures, *lenient)
    second = run(folder, pictures, "evaluator.min_accuracy=1", "trainer.learning_rate=1e-9")
    # A training's checkpoints belong to its run directory: a copy of one would train again.
    (root / "elsewhere" / "pictures" / "1").mkdir(parents=True)  # taken: the push makes version 2
    again = run(folder, pictures, *lenient, f"serving.dir={root / 'elsewhere'}")
    fewer = write_folder(root / "fewer", train=18, test=10)
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
