"""Improve and repeat: a search for settings, and training that begins with the model that was blessed."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from components.errors import UserError
from pipeline.cli import main
from tests.datasets import write_folder
from tests.runs import executed, run, screen_of, store_of

pytestmark = pytest.mark.slow

LENIENT = ("evaluator.min_accuracy=0", "evaluator.min_class_recall=0", "evaluator.max_drop=1", "trainer.epochs=2")


def latest(run_dir: Path, kind: str) -> Path:
    return Path(store_of(run_dir).get_artifacts_by_type(kind)[-1].uri)


def test_a_search_then_a_warm_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures, runs = write_folder(tmp_path / "pictures", train=20, test=10), tmp_path / "runs"
    with pytest.raises(UserError, match=r"--warm-start: no blessed model of 'pictures' in .*runs to start from"):
        run(runs, pictures, *LENIENT, "warm_start=true")
    with pytest.raises(UserError, match="--to Tuner: that stage is only in a run with --tune N"):
        run(runs, pictures, *LENIENT, last="Tuner")

    # Of two trials the Trainer takes the better one's settings.
    tune = ("tuner.trials=2", "tuner.space={learning_rate: [0.01, 0.2], batch_size: [16, 32]}")
    result, screen = screen_of(runs, pictures, *LENIENT, *tune)
    assert result.exit_code == 0, result.why
    assert list(result.stages)[6:9] == ["Transform", "Tuner", "Trainer"]
    assert len(result.trials) == 2
    assert result.trials[0]["score"] >= result.trials[1]["score"]
    assert all(0.01 <= trial["learning_rate"] <= 0.2 and 16 <= trial["batch_size"] <= 32 for trial in result.trials)
    assert "trials    validation accuracy" in screen
    shown = f"{result.trials[0]['learning_rate']:.4g}"
    assert shown in screen
    assert f">{shown}</data>" in Path(str(result.report)).read_text()
    best = json.loads((latest(runs, "HyperParameters") / "best_hyperparameters.txt").read_text())["values"]
    assert best == {name: value for name, value in result.trials[0].items() if name != "score"}
    capsys.readouterr()
    assert main(["lineage", "--why", "--json", "--run-dir", str(runs)]) == 0
    assert json.loads(capsys.readouterr().out)["training"].items() >= best.items()
    history = json.loads((latest(runs, "ModelRun") / "history.json").read_text())
    assert max(epoch["learning_rate"] for epoch in history) <= best["learning_rate"] * 1.001
    assert not list((runs / "checkpoints").iterdir()), "a search that is done keeps nothing"
    again = run(runs, pictures, *LENIENT, *tune)
    assert executed(again) == []
    assert again.trials == result.trials

    # A warm start with next to no learning keeps the weights; the optional stages are gone where nobody asks.
    before = keras.saving.load_model(latest(runs, "ModelRun") / "model.keras").get_weights()
    warm = run(runs, pictures, *LENIENT, "warm_start=true", "trainer.learning_rate=1e-12", last="Trainer")
    assert list(warm.stages)[6:] == ["Transform", "WarmStart", "Trainer"]
    after = keras.saving.load_model(latest(runs, "ModelRun") / "model.keras")
    frozen = {id(weight) for weight in after.trainable_variables}
    for weight, old in zip(after.variables, before):
        if id(weight) in frozen:
            np.testing.assert_allclose(weight, old, atol=1e-6)
