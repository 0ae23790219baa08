"""A model that begins as another one ended, or a clear word of why it cannot."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from components.contracts import training as records
from components.errors import UserError
from components.trainer.model import build_model
from components.trainer.settings import Settings
from components.trainer.warm_start import begin_with
from tests.examples import DIGITS
from tests.trainer.conftest import DIGITS_PRESET, Trained

pytestmark = pytest.mark.slow


def test_all_weights_are_those_of_the_exported_model(trained: Trained) -> None:
    exported = keras.saving.load_model(trained.run / records.MODEL_FILE)
    model = keras.models.clone_model(exported)
    begin_with(model, DIGITS, trained.model, 0, 1)
    for weight, expected in zip(model.get_weights(), exported.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_what_does_not_fit_is_told_by_name(trained: Trained, tmp_path: object) -> None:
    other = build_model(Settings(**{**DIGITS_PRESET, "width": 8}), len(DIGITS))
    with pytest.raises(
        UserError, match=r"--warm-start: the architecture .* is another one \(the first difference: .*/"
    ):
        begin_with(other, DIGITS, trained.model, 0, 1)
    with pytest.raises(UserError, match=r"has 10 classes and the data 11 \(\+'ten'\); run without --warm-start"):
        begin_with(other, [*DIGITS, "ten"], trained.model, 0, 1)
    with pytest.raises(UserError, match=r"data 10 \(another order\)"):
        begin_with(other, DIGITS[::-1], trained.model, 0, 1)
    with pytest.raises(UserError, match="cannot be read"):
        begin_with(other, DIGITS, f"{tmp_path}/none", 0, 1)
