"""The network as text: the same in every terminal, and the sizes of what was built."""

from __future__ import annotations

import math

import keras
import pytest

from components.trainer import summary
from components.trainer.model import mean_of, over_views
from components.trainer.networks import find
from tests.trainer.conftest import settings_of
from tests.trainer.my_networks import small_cnn


def test_it_names_every_layer_with_its_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_cnn((16, 16, 3), 5)
    model.layers[0].trainable = False
    monkeypatch.setenv("COLUMNS", "20")
    head, rule, *rows = summary.text(model).splitlines()
    assert head.split() == ["Layer", "Type", "Output", "shape", "Parameters", "Trained"]
    assert set(rule) == {"-"}
    assert rows[0].split() == [model.layers[0].name, "Conv2D", "(None,", "7,", "7,", "16)", "448", "no"]
    assert rows[1].split()[-2:] == ["64", "yes"]
    fixed = 448 + 2 * 16  # the moving mean and variance
    counts = {"Parameters": model.count_params(), "Trained": model.count_params() - fixed, "Not trained": fixed}
    assert rows[-3:] == [f"{title:<12}{count:>13,}" for title, count in counts.items()]


def test_the_networks_of_an_ensemble_stand_below_the_layer_that_holds_them() -> None:
    settings = settings_of(width=4)
    networks = [find(settings).build(settings, 10) for _ in range(2)]
    model = over_views(mean_of(networks), 2)
    lines = summary.text(model).splitlines()
    indented = [line for line in lines if line.startswith("  ") and "Conv2D" in line]
    assert len(indented) == sum(isinstance(layer, keras.layers.Conv2D) for one in networks for layer in one.layers)
    counted = sum(math.prod(weight.shape) for weight in model.weights)
    assert f"Parameters  {counted:>13,}" in lines
