"""The network: shapes for every size, and a file that Keras reads without our code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.trainer.model import build_model


@pytest.mark.parametrize("size", [8, 15, 16, 28, 32, 33, 64, 224])
def test_any_size_gives_logits(size: int) -> None:
    model = build_model(size, classes=3, width=4)
    assert model(np.zeros((2, size, size, 3), np.float32)).shape == (2, 3)
    rows = [layer.output.shape[1] for layer in model.layers if len(layer.output.shape) == 4]
    assert rows[-1] in (2, 3, 4), "the last group sees the whole picture"


def test_loads_with_keras_alone(tmp_path: Path) -> None:
    model = build_model(16, classes=3, width=4)
    picture = np.random.default_rng(0).normal(size=(1, 16, 16, 3)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "picture.npy", picture)
    program = (
        "import keras, numpy as np\n"
        "model = keras.saving.load_model('model.keras')\n"
        "np.save('logits.npy', model(np.load('picture.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), model(picture))
