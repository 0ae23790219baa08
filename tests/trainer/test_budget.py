"""`trainer.minutes`: the epochs that fit in a time, and the training that keeps to it."""

from __future__ import annotations

import math
import signal
from pathlib import Path

import pytest

from components import progress
from components.contracts import training as records
from components.errors import UserError
from components.trainer import budget, train
from components.trainer.budget import Pace
from components.trainer.plan import Plan
from tests.trainer.conftest import Data, plan_of


@pytest.mark.parametrize(
    ("seconds", "epochs", "steps"),
    [
        (110, 1, 100),  # one epoch of all images, to the second
        (220, 2, 100),
        (165, 2, 72),  # two, each of some of the images
        (30, 1, 20),  # a part of one
        (5, 1, 1),  # not even its validation: a step at least
        (-60, 1, 1),
        (1100, 10, 100),
    ],
)
def test_the_epochs_take_the_time_that_there_is(seconds: float, epochs: int, steps: int) -> None:
    assert budget.split(seconds, 100, 1.0, 10.0) == (epochs, steps)
    if seconds > 11:
        assert epochs * (steps * 1.0 + 10.0) == pytest.approx(seconds, abs=epochs)


@pytest.mark.parametrize(
    ("asked", "planned", "pretrained", "depths"),
    [
        ("auto", "last", True, ("last", "none")),
        ("auto", "none", True, ("none",)),
        ("last", "last", True, ("last",)),
        ("auto", "auto", False, ("auto",)),
    ],
)
def test_what_may_be_trained(asked: str, planned: str, pretrained: bool, depths: tuple[str, ...]) -> None:
    assert budget.depths(asked, planned, pretrained) == depths


@pytest.mark.parametrize(
    ("minutes", "chosen", "epochs"),
    [(60, "all", 17), (10, "all", 3), (4.1, "all", 2), (2.5, "last", 2), (0.7, "none", 0)],
)
def test_the_deepest_layers_are_trained_of_which_an_epoch_fits(minutes: float, chosen: str, epochs: int) -> None:
    seconds = {"all": 2.0, "last": 0.8}
    plan = plan_of(3200, batch_size=32, minutes=minutes, network="efficientnet_lite0")

    def pace(candidate: Plan) -> Pace:
        return Pace(5.0, seconds[candidate.settings.fine_tune], 0.2)

    found = budget.fit(plan, ("all", "last", "none"), minutes * 60, (320, 3520), pace)
    assert (found.minutes, found.fine_tune, found.epochs) == (minutes, chosen, epochs)
    needed = 5 + 110 * 0.2 + epochs * (found.steps * seconds.get(chosen, 0) + 10 * 0.2)
    assert needed <= 0.951 * minutes * 60
    assert chosen == "none" or needed > 0.9 * minutes * 60
    applied = budget.applied(found, plan)
    assert (applied.settings.fine_tune, applied.settings.epochs, applied.steps) == (chosen, epochs, found.steps)


@pytest.mark.slow
def test_a_training_is_planned_by_measured_steps(digits: Data, tmp_path: Path) -> None:
    train.run_fn(digits.fn_args(tmp_path, minutes=0.1, epochs=1))
    record = records.read(str(tmp_path / "run"))
    assert record.budget
    assert (record.budget.minutes, record.budget.fine_tune) == (0.1, "auto")
    assert record.budget.epochs > 1 or record.budget.steps < 21, "of 1,400 images in batches of 64"
    assert len(record.epochs) <= record.budget.epochs


@pytest.mark.slow
def test_a_training_resumes_as_it_was_planned(digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = iter([records.Budget(10, 3, 5, "auto")])  # one, though two calls ask
    monkeypatch.setattr(budget, "fit", lambda *_: next(plans))
    arguments = digits.fn_args(tmp_path, minutes=10, epochs=1, checkpoints=str(tmp_path / "checkpoints"))
    said: list[str] = []

    def press(text: str) -> None:
        said.append(text)
        if text.startswith("epoch 1/3, loss"):
            signal.raise_signal(signal.SIGINT)

    progress.listen(press)
    try:
        with pytest.raises(KeyboardInterrupt):
            train.run_fn(arguments)
        [kept] = (tmp_path / "checkpoints").glob(f"*/{records.BUDGET_FILE}")
        plan = kept.read_text()
        kept.write_text("{")
        with pytest.raises(UserError, match=r"the plan in .* cannot be read: remove .* to train from the start"):
            train.run_fn(arguments)
        kept.write_text(plan)
        progress.listen(said.append)
        train.run_fn(arguments)
    finally:
        progress.listen(None)
    assert said.count("in 10 minutes: 3 epochs of 5 steps") == 2
    record = records.read(str(tmp_path / "run"))
    assert [epoch.epoch for epoch in record.epochs] == [1, 2, 3]
    assert record.budget == records.Budget(10, 3, 5, "auto")
    assert not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.slow
def test_a_training_that_takes_longer_than_planned_ends_early_and_is_exported(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "LATEST", 0.0)
    monkeypatch.setattr(budget, "fit", lambda plan, *_: records.Budget(plan.settings.minutes, 50, plan.steps, "auto"))
    train.run_fn(digits.fn_args(tmp_path, minutes=1))
    record = records.read(str(tmp_path / "run"))
    assert [epoch.epoch for epoch in record.epochs] == [1]
    assert math.isfinite(record.epochs[0].val_loss)
    assert (tmp_path / "serving" / "saved_model.pb").exists()
