"""The network: shapes for every size, a stem that whitens, and a file that loads without custom objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.trainer.model import build_model, mean_of, over_views, whiten
from components.trainer.settings import Settings
from tests.trainer.conftest import DIGITS_PRESET


def model_of(size: int, **changes: Any) -> keras.Sequential:
    return build_model(Settings(**{**DIGITS_PRESET, "width": 4, "size": size, **changes}), classes=3)


def pictures_of(size: int, count: int = 64) -> np.ndarray:
    """Smooth, so that neighbouring pixels are correlated."""
    noise = np.random.default_rng(0).normal(size=(count, size + 2, size + 2, 3))
    smooth = sum(noise[:, i : i + size, j : j + size] for i in range(3) for j in range(3)) / 3
    return (smooth + smooth.mean(-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("stem_stride", [1, 2])
@pytest.mark.parametrize("size", [8, 15, 16, 28, 32, 33, 64, 224])
def test_any_size_gives_logits(size: int, stem_stride: int) -> None:
    model = model_of(size, stem_stride=stem_stride)
    assert model(np.zeros((2, size, size, 3), np.float32)).shape == (2, 3)
    rows = [layer.output.shape[1] for layer in model.layers if len(layer.output.shape) == 4]
    assert rows[-1] in (1, 2, 3), "the last group sees the whole picture"


def test_it_is_as_deep_and_as_wide_as_it_is_told() -> None:
    kernels = [layer.kernel.shape for layer in model_of(32, width=8, depth=3).layers if "conv2d" in layer.name]
    assert [shape[-1] for shape in kernels] == [8] * 3 + [16] * 6


@pytest.mark.parametrize("stem_stride", [1, 2])
def test_the_stem_whitens_and_stays_as_it_is(stem_stride: int) -> None:
    model, pictures = model_of(32, stem_stride=stem_stride), pictures_of(32)
    whiten(model, pictures)
    stem = model.get_layer("whitening")
    assert stem.trainable_variables == []
    result = np.array(stem(pictures)).reshape(-1, stem.filters)
    half = stem.filters // 2
    np.testing.assert_allclose(result[:, half:], -result[:, :half], atol=1e-4)
    np.testing.assert_allclose(np.cov(result[:, :half].T), np.eye(half), atol=0.15)


@pytest.mark.parametrize("views", [2, 6])
def test_the_answer_over_views_is_of_the_picture_as_much_as_of_its_mirror_image(views: int) -> None:
    pictures, plain = pictures_of(16, 4), model_of(16)
    model = over_views(plain, views)
    assert model(pictures).shape == (4, 3)
    np.testing.assert_allclose(model(pictures), model(pictures[:, :, ::-1]), rtol=1e-4, atol=1e-5)
    if views == 2:
        expected = (np.array(plain(pictures)) + np.array(plain(pictures[:, :, ::-1]))) / 2
        np.testing.assert_allclose(model(pictures), expected, rtol=1e-4, atol=1e-5)


def test_one_view_is_the_network_itself() -> None:
    plain = model_of(16)
    assert over_views(plain, 1) is plain


def test_an_ensemble_is_one_model_with_the_mean_of_the_logits() -> None:
    networks, pictures = [model_of(16) for _ in range(3)], pictures_of(16, 4)
    model = over_views(mean_of(networks), 2)
    assert isinstance(model, keras.Sequential)
    both = [network(view) for network in networks for view in (pictures, pictures[:, :, ::-1])]
    np.testing.assert_allclose(model(pictures), np.mean(both, axis=0), rtol=1e-4, atol=1e-5)
    assert mean_of(networks[:1]) is networks[0]


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", [1, 2])
def test_loads_without_custom_objects(ensemble: int, tmp_path: Path) -> None:
    networks, pictures = [model_of(16) for _ in range(ensemble)], pictures_of(16, 2)
    for network in networks:
        whiten(network, pictures)
        network(pictures, training=True)
    model = over_views(mean_of(networks), 6)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "pictures.npy", pictures)
    program = (
        "import keras, numpy as np\n"
        "import components.trainer.layers\n"
        "model = keras.saving.load_model('model.keras')\n"
        "np.save('logits.npy', model(np.load('pictures.npy')))\n"
    )
    root = str(Path(__file__).parents[2])
    subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, env={"PYTHONPATH": root}
    )
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), model(pictures))
