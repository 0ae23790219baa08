"""The same data, config and code give the same splits, the same weights and the same metrics."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.datasets import write_folder
from tests.runs import LENIENT, run, store_of

pytestmark = pytest.mark.slow


def test_two_runs_in_two_directories_make_the_same_model(tmp_path: Path) -> None:
    pictures = write_folder(tmp_path / "pictures", train=20, test=10, given_splits=False)
    results = [run(tmp_path / name, pictures, *LENIENT) for name in ("one", "two")]
    assert results[0].metrics == results[1].metrics
    examples, weights = [], []
    for name in ("one", "two"):
        artifacts = {artifact.type: Path(artifact.uri) for artifact in store_of(tmp_path / name).get_artifacts()}
        files = sorted(artifacts["Examples"].rglob("*.gz"))
        examples.append({str(file.relative_to(artifacts["Examples"])): file.read_bytes() for file in files})
        weights.append(keras.saving.load_model(artifacts["ModelRun"] / "model.keras").get_weights())
    assert examples[0] == examples[1]
    assert len(examples[0]) >= 3
    for one, two in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, two)
