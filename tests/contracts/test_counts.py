"""Examples that have lost records are found by every stage that reads them."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.contracts import counts
from components.contracts import features as f
from components.contracts.counts import COUNTS_FILE
from components.errors import Damaged

OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=0)  # as ExampleGen writes
RECORDS, SHARDS = 12, 3


@pytest.fixture
def examples(tmp_path: Path) -> standard_artifacts.Examples:
    for split in f.SPLITS:
        folder = tmp_path / "examples" / f"Split-{split}"
        folder.mkdir(parents=True)
        for shard in range(SHARDS):
            with tf.io.TFRecordWriter(str(folder / f"data-{shard:05d}-of-{SHARDS:05d}.gz"), OPTIONS) as writer:
                for number in range(RECORDS // SHARDS):
                    writer.write(bytes([number]) * 1000)
    counted = {"splits": {split: {"a": RECORDS - 2, "b": 2} for split in f.SPLITS}}
    (tmp_path / "examples" / COUNTS_FILE).write_text(json.dumps(counted))
    artifact = standard_artifacts.Examples()
    artifact.uri = str(tmp_path / "examples")
    artifact.splits = list(f.SPLITS)
    return artifact


def shard(examples: standard_artifacts.Examples, split: str) -> Path:
    return Path(examples.uri, f"Split-{split}", f"data-00001-of-{SHARDS:05d}.gz")


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_between(path: Path) -> None:
    """Behind a record: TensorFlow reads what is left without a word."""
    with gzip.open(path) as file:
        size = len(file.read()) // (RECORDS // SHARDS)
    os.truncate(path, 10 + 5 + 2 * size)  # the headers of gzip and of its stored block


def empty(path: Path) -> None:
    os.truncate(path, 0)


def twice(path: Path) -> None:
    shutil.copy(path, path.with_name(f"of an earlier run-{path.name}"))


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_whole_examples_pass(examples: standard_artifacts.Examples) -> None:
    counts.verify(examples.uri, f.SPLITS)
    (Path(examples.uri) / COUNTS_FILE).write_text("{}")  # of a caller that counts nothing
    counts.verify(examples.uri, f.SPLITS)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, r"data-00001-of-00003.gz is damaged: truncated record"),
        (
            cut_between,
            rf"split train of .*examples is damaged: 10 of {RECORDS} records .*\(data-00001.* was cut short\)",
        ),
        (empty, rf"split train of .*examples is damaged: 8 of {RECORDS} records"),
        (Path.unlink, rf"split train of .*examples is damaged: 8 of {RECORDS} records are left"),
        (twice, rf"split train of .*examples is damaged: 16 of {RECORDS} records"),
        (spoil, r"data-00001-of-00003.gz is damaged: "),
    ],
)
def test_lost_records_are_named_with_the_way_on(
    damage: Callable[[Path], None], said: str, examples: standard_artifacts.Examples
) -> None:
    damage(shard(examples, f.TRAIN))
    counts.verify(examples.uri, [f.VALIDATION, f.TEST])
    with pytest.raises(Damaged, match=rf"{said}.*; remove .*examples and run the pipeline from its first") as raised:
        counts.verify(examples.uri, f.SPLITS)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_counts_that_are_lost(content: str | None, examples: standard_artifacts.Examples) -> None:
    file = Path(examples.uri, COUNTS_FILE)
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(Damaged, match=rf"{COUNTS_FILE} (is missing|cannot be read); remove"):
        counts.verify(examples.uri, f.SPLITS)


def executors() -> list[Any]:
    from components.evaluator.executor import Executor as Evaluator
    from components.serving_check.executor import Executor as ServingCheck
    from components.transform.component import Executor as Transform

    return [Transform, Evaluator, ServingCheck]


@pytest.mark.parametrize("number", range(3))
def test_stages_look_before_they_begin(number: int, examples: standard_artifacts.Examples) -> None:
    executor = executors()[number]
    for split in f.SPLITS:
        cut(shard(examples, split))
    inputs = {"examples": [examples], "model": [standard_artifacts.Model()]}
    outputs = {"blessing": [standard_artifacts.InfraBlessing()], "predictions": [standard_artifacts.Examples()]}
    with pytest.raises(Damaged, match="is damaged"):
        executor().Do(inputs, outputs, {})
