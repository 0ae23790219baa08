"""The network: shapes for every size, a stem that whitens, and a file that loads without custom objects."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.trainer.model import mean_of, over_views
from components.trainer.networks.airbench import build, prepare
from pipeline import ROOT
from tests.trainer.conftest import settings_of


def model_of(size: int, **changes: Any) -> keras.Sequential:
    return build(settings_of(**{"width": 4, "size": size, **changes}), classes=3)


def images_of(size: int, count: int = 64) -> np.ndarray:
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
    assert rows[-1] in (1, 2, 3), "the last group sees the whole image"


def test_it_is_as_deep_and_as_wide_as_it_is_told() -> None:
    kernels = [layer.kernel.shape for layer in model_of(32, width=8, depth=3).layers if "conv2d" in layer.name]
    assert [shape[-1] for shape in kernels] == [8] * 3 + [16] * 6


def test_the_first_weights_depend_on_the_seed_alone() -> None:
    """Not on Python's generator of the process, which threads of other libraries use too, as a Dask client's."""
    weights = []
    for seed, state in ((0, 1), (0, 2), (1, 1)):
        random.seed(state)
        weights.append(model_of(32, seed=seed).get_weights())
    assert all(np.array_equal(*pair) for pair in zip(*weights[:2], strict=True))
    assert not np.array_equal(weights[0][-1], weights[2][-1])


@pytest.mark.parametrize("stem_stride", [1, 2])
def test_the_stem_whitens_and_stays_as_it_is(stem_stride: int) -> None:
    model, images = model_of(32, stem_stride=stem_stride), images_of(32)
    prepare(model, settings_of(), lambda: images)
    stem = model.get_layer("whitening")
    assert stem.trainable_variables == []
    result = np.array(stem(images)).reshape(-1, stem.filters)
    half = stem.filters // 2
    np.testing.assert_allclose(result[:, half:], -result[:, :half], atol=1e-4)
    np.testing.assert_allclose(np.cov(result[:, :half].T), np.eye(half), atol=0.15)


@pytest.mark.parametrize("views", [2, 6])
def test_the_answer_over_views_is_of_the_image_as_much_as_of_its_mirror_image(views: int) -> None:
    images, plain = images_of(16, 4), model_of(16)
    model = over_views(plain, views)
    assert model(images).shape == (4, 3)
    np.testing.assert_allclose(model(images), model(images[:, :, ::-1]), rtol=1e-4, atol=1e-5)
    if views == 2:
        expected = (np.array(plain(images)) + np.array(plain(images[:, :, ::-1]))) / 2
        np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-5)


def test_one_view_is_the_network_itself() -> None:
    plain = model_of(16)
    assert over_views(plain, 1) is plain


def test_an_ensemble_is_one_model_with_the_mean_of_the_logits() -> None:
    networks, images = [model_of(16) for _ in range(3)], images_of(16, 4)
    model = over_views(mean_of(networks), 2)
    assert isinstance(model, keras.Sequential)
    both = [network(view) for network in networks for view in (images, images[:, :, ::-1])]
    np.testing.assert_allclose(model(images), np.mean(both, axis=0), rtol=1e-4, atol=1e-5)
    assert mean_of(networks[:1]) is networks[0]


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", [1, 2])
def test_loads_without_custom_objects(ensemble: int, tmp_path: Path) -> None:
    networks, images = [model_of(16) for _ in range(ensemble)], images_of(16, 2)
    for network in networks:
        prepare(network, settings_of(), lambda: images)
        network(images, training=True)
    model = over_views(mean_of(networks), 6)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    program = (
        "import keras, numpy as np\n"
        "import components.trainer.layers\n"
        "model = keras.saving.load_model('model.keras')\n"
        "np.save('logits.npy', model(np.load('images.npy')))\n"
    )
    root = str(ROOT)
    subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, env={"PYTHONPATH": root}
    )
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), model(images))
