"""A network of the user's own goes through the whole chain, and its code counts as the code of the project does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.cli import main
from tests.datasets import write_folder
from tests.runs import executed, run, screen_of, store_of
from tests.trainer import my_networks

pytestmark = pytest.mark.slow

# Pushed whatever it has learned in an epoch.
LENIENT = ("evaluator.min_accuracy=0", "evaluator.min_class_recall=0", "evaluator.max_drop=1", "trainer.epochs=1")


def test_it_is_pushed_cached_edited_tuned_and_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, runs = write_folder(tmp_path / "images", train=20, test=10), tmp_path / "runs"
    file = Path(shutil.copy(my_networks.__file__, tmp_path))
    settings = (*LENIENT, f"trainer.network={file}:small_cnn", "trainer.width=32")
    first = run(runs, images, *settings)
    assert first.exit_code == 0, first.why
    assert "Dropout" in next((runs / "artifacts").rglob("model_summary.txt")).read_text()

    file.touch()
    assert executed(run(runs, images, *settings)) == []
    file.write_text(file.read_text().replace("Dropout(0.2)", "Dropout(0.3)"))
    again = run(runs, images, *settings, "tuner.trials=2", "warm_start=true", "trainer.checkpoint_seconds=0")
    assert again.exit_code == 0, again.why
    assert executed(again)[:3] == ["WarmStart", "Tuner", "Trainer"]
    assert all(0.0002 <= trial["learning_rate"] <= 0.005 for trial in again.trials)
    served = store_of(runs).get_artifacts_by_type("PushedModel")
    assert len(served) == 2, "the model of the edited file is another one"
    capsys.readouterr()
    assert main(["lineage", "--why", "--json", "--run-dir", str(runs)]) == 0
    training = json.loads(capsys.readouterr().out)["training"]
    assert training["network"] == f"{file}:small_cnn"
    assert "network_code" not in training

    file.write_text("def small_cnn(shape, classes):\n    return 1 / 0\n")
    result, screen = screen_of(runs, images, *settings)
    assert result.exit_code == 2
    assert f"trainer.network {file}:small_cnn: line 2: ZeroDivisionError: division by zero\n" in screen
    file.unlink()
    result, screen = screen_of(runs, images, *settings)
    assert (result.exit_code, result.stages) == (2, {}), "before any stage runs"
    assert f"trainer.network: cannot read {file}: No such file" in screen
