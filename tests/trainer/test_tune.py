"""The space that a search goes through, and what it chooses of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.trainer.tune import make_oracle, search_space


@pytest.mark.parametrize(("name", "ends", "kind", "sampling"), [
    ("width", (8, 32), int, "linear"),
    ("batch_size", (16, 512), int, "log"),
    ("learning_rate", (0.01, 1.0), float, "log"),
    ("label_smoothing", (0.0, 0.2), float, "linear"),
    ("translate", (0, 16), int, "linear"),
    ("translate", (0.0, 0.1), float, "linear"),
])  # fmt: skip
def test_a_range_is_drawn_between_its_ends_whole_numbers_staying_whole(
    name: str, ends: tuple[float, float], kind: type, sampling: str
) -> None:
    [found] = search_space({name: ends}).space
    assert found.sampling == sampling
    drawn = [found.random_sample(seed) for seed in range(50)]
    assert all(isinstance(value, kind) and ends[0] <= value <= ends[1] for value in drawn)
    assert len(set(drawn)) > 5


def test_the_seed_decides_what_is_tried(tmp_path: Path) -> None:
    def tried(seed: int, folder: str) -> list[float]:
        space = search_space({"learning_rate": (0.01, 1.0)})
        oracle = make_oracle(5, space, seed)
        oracle._set_project_dir(str(tmp_path / folder), "search")
        rates = []
        for _ in range(5):
            trial = oracle.create_trial("one")
            rates.append(trial.hyperparameters.values["learning_rate"])
            oracle.update_trial(trial.trial_id, {"val_accuracy": rates[-1]})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        return rates

    assert tried(0, "first") == tried(0, "second") != tried(1, "third")
