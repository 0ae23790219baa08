"""What each contract writes it reads; what is damaged is refused, and what earlier versions wrote is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.contracts import counts, findings, predictions, rejects, run_result, serving, training, tuning

COUNTS = counts.Counts(source="猫", class_names=["a", "b"], splits={"train": {"a": 2, "b": 1}}, rejected=1)
EPOCH = {
    "epoch": 1, "loss": 1.5, "accuracy": 0.5, "val_loss": 1.25, "val_accuracy": 0.75, "learning_rate": 0.0,
    "seconds": 2.0, "pictures_per_second": 10.5,
}  # fmt: skip
RESULT = run_result.Result(
    "1", "digits", "digits", 0, "run.log", "artifacts", {"Trainer": {"state": "cached", "seconds": 2}}
)


def test_counts(tmp_path: Path) -> None:
    counts.write(str(tmp_path), COUNTS)
    assert counts.read(str(tmp_path)) == COUNTS
    assert (COUNTS.images, COUNTS.of_split("test"), COUNTS.of_class("train", "b")) == (3, 0, 1)
    assert COUNTS.totals() == {"train": 3, "rejected": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == [counts.COUNTS_FILE], "nothing but the file is left"


def test_rejections_are_sorted_and_summarised(tmp_path: Path) -> None:
    rows = [rejects.Rejection(f"{i}.png", "cut" if i else "no image", None) for i in (2, 0, 1)]
    rejects.write(str(tmp_path), rows)
    assert list(rejects.read(str(tmp_path))) == sorted(rows)
    assert rejects.summarise(rejects.read(str(tmp_path)), 1) == (3, [("cut", 2), ("no image", 1)], sorted(rows)[:1])


def test_a_name_that_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    rejects.write(str(tmp_path), [rejects.Rejection("\udcff.png", "cut", None)])
    (row,) = rejects.read(str(tmp_path))
    assert row.source == "\udcff.png"


def test_findings(tmp_path: Path) -> None:
    found = [findings.Finding(findings.LEAKS, findings.STOP, "why", 40, [{"n": i} for i in range(40)])]
    findings.write(str(tmp_path), found)
    assert findings.read(str(tmp_path)) == found
    (few,) = findings.with_few_examples(json.loads((tmp_path / findings.FINDINGS_FILE).read_text()))
    assert (few.message, len(few.examples)) == ("why", 12)


def test_serving_report(tmp_path: Path) -> None:
    report = serving.ServingReport(False, ["it does not load"], 3, 2, 1)
    serving.write(str(tmp_path), report)
    assert serving.read(str(tmp_path)) == report


def test_predictions_come_back_in_the_order_of_their_files(tmp_path: Path) -> None:
    assert predictions.read(str(tmp_path)) is None
    parts = [
        predictions.Predictions(
            np.array([f"{i}.png"]), np.array(["猫"]), np.array([i]), np.array([0]), np.array([[0.75, 0.25]], np.float32)
        )
        for i in range(2)
    ]
    for number, part in enumerate(parts):
        predictions.write(str(tmp_path), number, part)
    again = predictions.read(str(tmp_path))
    assert again is not None
    assert (again.source.tolist(), again.right.tolist(), len(again)) == (["0.png", "1.png"], [True, False], 2)
    assert again.probabilities.dtype == np.float32


def test_a_training_and_one_of_an_earlier_version(tmp_path: Path) -> None:
    epochs = [training.Epoch(network=n, **EPOCH) for n in (1, 2)]  # type: ignore[arg-type]
    weights = training.ClassWeights("balanced", {"猫": 0.5, "dog": 1.5})
    training.write(str(tmp_path / "new"), training.Training(epochs, "dense\n", 12, weights))
    assert training.read(str(tmp_path / "new")) == training.Training(epochs, "dense\n", 12, weights)

    old = tmp_path / "old"
    old.mkdir()
    (old / training.HISTORY_FILE).write_text(json.dumps([EPOCH | {"waiting": 0.5}]))
    (old / training.SUMMARY_FILE).write_text("Total params: 12\n")
    again = training.read(str(old))
    assert (again.parameters, again.epochs[0].waiting, again.epochs[0].network) == (None, 0.5, None)
    assert again.class_weights is None
    assert training.read_samples(str(old)) is None


def test_tuning_as_tfx_writes_it(tmp_path: Path) -> None:
    (tmp_path / tuning.TRIALS_FILE).write_text('[{"trial_id": "0", "score": 0.5, "width": 8}]')
    assert tuning.read_trials(str(tmp_path)) == [{"score": 0.5, "width": 8}]
    assert tuning.read_best(str(tmp_path)) == {}
    (tmp_path / tuning.BEST_FILE).write_text('{"space": [], "values": {"width": 8}}')
    assert tuning.read_best(str(tmp_path)) == {"width": 8}


def test_a_result_with_keys_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / run_result.RESULT_FILE
    run_result.write(path, RESULT)
    stored = json.loads(path.read_text())
    assert (stored["seconds"], stored["cached"]) == ({"Trainer": 2}, ["Trainer"])
    path.write_text(json.dumps(stored | {"from_the_future": 1}))
    assert run_result.read(path) == RESULT


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "3", '{"stages": {"Trainer": {}}}', '[{"epoch": "one"}]'])
def test_what_is_damaged_is_refused(content: str, tmp_path: Path) -> None:
    readers: dict[str, Any] = {
        counts.COUNTS_FILE: counts.read,
        serving.REPORT_FILE: serving.read,
        run_result.RESULT_FILE: lambda folder: run_result.read(f"{folder}/{run_result.RESULT_FILE}"),
    }
    if content != "[]":  # nothing was found
        readers |= {findings.FINDINGS_FILE: findings.read, training.HISTORY_FILE: training.read}
    for name, read in readers.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError):  # noqa: PT011 (of any kind)
            read(str(tmp_path))
