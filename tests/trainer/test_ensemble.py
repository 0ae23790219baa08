"""Several networks, trained one after the other, whose mean is one model."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from components import progress
from components.contracts import features as f
from components.contracts import training as records
from components.errors import UserError
from components.trainer import train
from tests.trainer.conftest import Data

pytestmark = pytest.mark.slow


def weights(out: Path) -> list[np.ndarray]:
    return keras.saving.load_model(out / "run" / records.MODEL_FILE).get_weights()


def same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


def test_each_network_is_what_it_would_be_alone_from_its_seed(digits: Data, tmp_path: Path) -> None:
    together = tmp_path / "together"
    train.run_fn(digits.fn_args(together, ensemble=2, epochs=2, seed=5))
    alone = []
    for seed in (5, 6):
        train.run_fn(digits.fn_args(tmp_path / str(seed), epochs=2, seed=seed))
        alone += weights(tmp_path / str(seed))
    assert same(weights(together), alone)
    history = json.loads((together / "run" / records.HISTORY_FILE).read_text())
    assert [(epoch["network"], epoch["epoch"]) for epoch in history] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert history[2]["learning_rate"] > history[1]["learning_rate"], "the second begins again"
    summary = (together / "run" / records.SUMMARY_FILE).read_text()
    assert "Average" in summary
    assert summary.count("whitening") == 2
    for folder in ("network-1", "network-2"):
        assert list((together / "run" / records.TENSORBOARD_DIR / folder / f.VALIDATION).iterdir())


def test_stopped_in_the_second_network_the_first_is_not_trained_again(digits: Data, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train.run_fn(digits.fn_args(whole, ensemble=2, epochs=2))
    arguments = digits.fn_args(stopped, ensemble=2, epochs=2, checkpoints=str(stopped / "checkpoints"))
    said: list[str] = []

    def listen(text: str) -> None:
        said.append(text)
        if text.startswith("network 2/2, epoch 1/2") and len(said) < 100:
            signal.raise_signal(signal.SIGINT)

    progress.listen(listen)
    try:
        with pytest.raises(KeyboardInterrupt, match=r"^network 2/2, step \d+ of 42 \(epoch \d of 2\)$"):
            train.run_fn(arguments)
        said[:] = ["it was stopped"] * 100
        train.run_fn(arguments)
    finally:
        progress.listen(None)
    assert not [text for text in said if text.startswith("network 1/2")]
    assert same(weights(stopped), weights(whole))
    assert not list((stopped / "checkpoints").iterdir()), "nothing is kept of a finished training"


def test_an_ensemble_begins_with_as_large_a_one_and_with_no_other(digits: Data, tmp_path: Path) -> None:
    train.run_fn(digits.fn_args(tmp_path / "base", ensemble=2))
    arguments = digits.fn_args(tmp_path / "on", ensemble=2, learning_rate=1e-30)
    arguments.base_model = str(tmp_path / "base" / "serving")
    train.run_fn(arguments)
    kernels = [[w for w in weights(tmp_path / out) if w.ndim > 1] for out in ("base", "on")]  # all else may move on
    assert all(np.allclose(before, after, atol=1e-5) for before, after in zip(*kernels, strict=True))
    for other in (1, 3):
        refused = digits.fn_args(tmp_path / "refused", ensemble=other)
        refused.base_model = arguments.base_model
        with pytest.raises(UserError, match=f"has trainer.ensemble 2 and not {other}"):
            train.run_fn(refused)
