"""Small data in every form that the pipeline takes, and runs of the whole chain on it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from components.contracts import features
from components.contracts.run_result import Result
from pipeline import config as configs
from pipeline.platforms.local import runner
from pipeline.tracking import metadata
from tests.examples import digit_pictures, png

RESOLVERS = ("PreviousData", "Baseline")
NAMES = ("zero", "one", "two")
# Small and quick, yet a model that the gates let through.
QUICK = ("trainer.epochs=6", "trainer.width=8", "trainer.batch_size=16", "trainer.flip=false", "transform.size=16")


def write_folder(root: Path, train: int = 60, test: int = 30, given_splits: bool = True) -> Path:
    """Handwritten zeros, ones and twos as PNG: `root`/train/<class>/… and test/, or plain `root`/<class>/…"""
    pixels, labels = digit_pictures()
    for label, name in enumerate(NAMES):
        for i, picture in enumerate(pixels[labels == label][: train + test]):
            split = features.TRAIN if i < train else features.TEST
            folder = root / split / name if given_splits else root / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{i:04d}.png").write_bytes(png(picture))
    return root


def run(run_dir: Path, source: Path | str, *settings: str, first: str | None = None, last: str | None = None) -> Result:
    """One run of the chain in this process; the screen goes nowhere."""
    fixed = (f"data.source={source}", f"run_dir={run_dir}", *QUICK)
    config, _ = configs.load(None, None, (*fixed, *settings))
    with open(os.devnull, "w") as nowhere:
        return runner.run(config, first, last, nowhere)


def executed(result: Result) -> list[str]:
    """The stages that ran; the resolvers only look, and always do."""
    return [name for name, stage in result.stages.items() if stage["state"] == "done" and name not in RESOLVERS]


def screen_of(run_dir: Path, source: Path | str, *settings: str) -> tuple[Result, str]:
    """A run and what it printed where there is no terminal, the closing lines included."""
    from pipeline.cli import summary

    config, _ = configs.load(None, None, (f"data.source={source}", f"run_dir={run_dir}", *QUICK, *settings))
    path = run_dir.parent / f"{run_dir.name}-screen.txt"
    with path.open("w") as file:
        result = runner.run(config, None, None, file)
    closing = io.StringIO()
    summary.show(result, closing)
    return result, path.read_text() + closing.getvalue()


def artifact(run_dir: Path, stage: str, key: str, run_id: str | None = None) -> Any:
    """What a stage of a run put out, of the latest run if none is named."""
    store = store_of(run_dir)
    known = metadata.find_run(store, run_id) if run_id else metadata.runs(store)[0]
    assert known is not None
    return metadata.stages(store, known)[stage].outputs[key][-1]


def store_of(run_dir: Path) -> Any:
    return metadata.open_store(configs.load("digits", None, (f"run_dir={run_dir}",))[0])
