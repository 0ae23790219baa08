"""A model that begins as another one ended, or a clear word of why it cannot."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from components.contracts import training as records
from components.errors import UserError
from components.trainer.networks.airbench import build
from components.trainer.warm_start import load_weights
from tests.datasets import DIGITS
from tests.trainer.conftest import Trained, settings_of

pytestmark = pytest.mark.slow


def test_all_weights_are_those_of_the_exported_model(trained: Trained) -> None:
    exported = keras.saving.load_model(trained.run / records.MODEL_FILE)
    model = keras.models.clone_model(exported)
    load_weights(model, DIGITS, trained.model, 0, 1)
    for weight, expected in zip(model.get_weights(), exported.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_what_does_not_fit_is_told_by_name(trained: Trained, tmp_path: object) -> None:
    other = build(settings_of(width=8), len(DIGITS))
    with pytest.raises(UserError, match=r"--warm-start: the architecture .* differs \(first difference: .*/"):
        load_weights(other, DIGITS, trained.model, 0, 1)
    with pytest.raises(UserError, match=r"has 10 classes and the data 11 \(\+'ten'\); run without --warm-start"):
        load_weights(other, [*DIGITS, "ten"], trained.model, 0, 1)
    with pytest.raises(UserError, match=r"data 10 \(another order\)"):
        load_weights(other, DIGITS[::-1], trained.model, 0, 1)
    with pytest.raises(UserError, match="cannot be read"):
        load_weights(other, DIGITS, f"{tmp_path}/none", 0, 1)
