"""The Trainer component: what it learns, what it leaves behind, and that the seed decides all of it."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import progress
from components.contracts import features as f
from components.contracts import training as records
from components.contracts.counts import COUNTS_FILE
from components.errors import UserError
from components.trainer import samples, train
from tests.datasets import DIGITS, write_digits
from tests.trainer.conftest import DIGITS_PRESET, Data, Trained, scalars, scalars_of

pytestmark = pytest.mark.slow


def weights(out: Path) -> list[np.ndarray]:
    return keras.saving.load_model(out / "run" / records.MODEL_FILE).get_weights()


def test_the_history_tells_every_epoch(trained: Trained) -> None:
    history = json.loads((trained.run / records.HISTORY_FILE).read_text())
    assert [epoch["epoch"] for epoch in history] == list(range(1, DIGITS_PRESET["epochs"] + 1))
    assert set(history[0]) == {
        "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds", "pictures_per_second",
        "waiting",
    }  # fmt: skip
    assert history[-1]["val_accuracy"] >= 0.97
    assert history[-1]["loss"] < history[0]["loss"]
    assert max(epoch["learning_rate"] for epoch in history) <= DIGITS_PRESET["learning_rate"] * 1.001
    assert history[-1]["learning_rate"] < 1e-6, "the rate falls to zero"
    assert all(epoch["pictures_per_second"] > 0 and epoch["seconds"] > 0 for epoch in history)


def test_tensorboard_has_a_point_for_each_epoch(trained: Trained) -> None:
    history = json.loads((trained.run / records.HISTORY_FILE).read_text())
    assert scalars(trained.run / records.TENSORBOARD_DIR) == scalars_of(history)


def test_the_summary_and_the_model_are_readable(trained: Trained) -> None:
    summary = (trained.run / records.SUMMARY_FILE).read_text()
    assert "Conv2D" in summary
    model = keras.saving.load_model(trained.run / records.MODEL_FILE)
    assert f"Parameters  {model.count_params():>13,}" in summary
    assert isinstance(model, keras.Sequential)
    assert model.output_shape == (None, len(DIGITS))


def test_the_samples_begin_with_the_training_images_as_they_are(trained: Trained, digits: Data) -> None:
    png = tf.io.read_file(str(trained.run / records.SAMPLES_FILE))
    grid = tf.io.decode_png(png).numpy()
    rows = records.read_sample_rows(str(trained.run))
    assert rows is not None
    assert (rows.classes, rows.side) == (list(DIGITS[: samples.CLASSES]), DIGITS_PRESET["size"])
    side = rows.side
    assert grid.shape == (side * samples.CLASSES, side * (1 + samples.VARIATIONS), 3)
    path = digits.examples / f"Split-{f.TRAIN}" / "data_tfrecord-00000-of-00001.gz"
    first: dict[int, np.ndarray] = {}
    for record in tf.data.TFRecordDataset(str(path), "GZIP"):
        features = tf.train.Example.FromString(record.numpy()).features.feature
        image = features[f.IMAGE].bytes_list.value[0]
        first.setdefault(features[f.LABEL].int64_list.value[0], tf.io.decode_png(image).numpy())
    for row in range(samples.CLASSES):
        itself, *variations = np.split(grid[row * side : (row + 1) * side], 1 + samples.VARIATIONS, axis=1)
        np.testing.assert_array_equal(itself, first[row])
        assert any((one != itself).any() for one in variations)


def test_the_record_says_how_the_network_was_trained(trained: Trained, digits: Data) -> None:
    setup = records.read(str(trained.run)).setup
    assert setup is not None
    assert (setup.optimizer, setup.precision, setup.batch_size) == ("Muon", "float32", DIGITS_PRESET["batch_size"])
    path = digits.examples / f"Split-{f.TRAIN}" / "data_tfrecord-00000-of-00001.gz"
    images = [
        tf.io.decode_png(
            tf.train.Example.FromString(record.numpy()).features.feature[f.IMAGE].bytes_list.value[0]
        ).numpy()
        for record in tf.data.TFRecordDataset(str(path), "GZIP")
    ]
    np.testing.assert_allclose(setup.mean, np.mean(images, axis=(0, 1, 2)), atol=0.01)
    np.testing.assert_allclose(setup.deviation, np.std(images, axis=(0, 1, 2)), atol=0.01)


def test_one_seed_gives_one_model_to_the_bit(digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the process made before, and however narrow its terminal is."""
    for name, columns in (("a", "200"), ("b", "20")):
        monkeypatch.setenv("COLUMNS", columns)
        train.run_fn(digits.fn_args(tmp_path / name, seed=3, width=16))
    first, second = (weights(tmp_path / name) for name in "ab")
    assert all(np.array_equal(x, y) for x, y in zip(first, second))
    texts = [(tmp_path / name / "run" / records.SUMMARY_FILE).read_text() for name in "ab"]
    assert texts[0] == texts[1]
    assert "\nconv2d  " in texts[0], "the first of its kind in the network"
    configs = [keras.saving.load_model(tmp_path / name / "run" / records.MODEL_FILE).to_json() for name in "ab"]
    assert configs[0] == configs[1]


def test_streaming_trains_too_and_says_how_far_it_is(digits: Data, tmp_path: Path) -> None:
    said: list[str] = []
    progress.listen(said.append)
    try:
        train.run_fn(digits.fn_args(tmp_path, cache_bytes=0, epochs=3))
    finally:
        progress.listen(None)
    history = json.loads((tmp_path / "run" / records.HISTORY_FILE).read_text())
    assert history[-1]["loss"] < history[0]["loss"]
    assert any(line.startswith("epoch 1/3, step 21/21, loss ") and "images/s" in line for line in said)
    assert "validation accuracy" in said[-1]


def test_a_loss_that_is_no_number_stops_at_once(digits: Data, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"at step \d+ of 21 in epoch 1: try a lower trainer.learning_rate") as raised:
        train.run_fn(digits.fn_args(tmp_path, learning_rate=1e30, epochs=5))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "serving").exists()


def test_an_empty_split_is_refused(digits: Data, tmp_path: Path) -> None:
    examples = write_digits(tmp_path / "examples", {f.TRAIN: 40, f.VALIDATION: 0})
    arguments = digits._replace(examples=examples).fn_args(tmp_path)
    with pytest.raises(UserError, match="40 images to train on and 0 to validate with"):
        train.run_fn(arguments)


def test_the_test_split_is_never_read_and_a_small_set_is_one_batch(digits: Data, tmp_path: Path) -> None:
    arguments = digits.fn_args(tmp_path, batch_size=5000, epochs=2)
    copy = tmp_path / "examples"
    for split in (f.TRAIN, f.VALIDATION):
        (copy / f"Split-{split}").mkdir(parents=True)
        source = digits.examples / f"Split-{split}" / "data_tfrecord-00000-of-00001.gz"
        (copy / f"Split-{split}" / source.name).write_bytes(source.read_bytes())
    (copy / COUNTS_FILE).write_bytes((digits.examples / COUNTS_FILE).read_bytes())
    (copy / f"Split-{f.TEST}").mkdir()
    (copy / f"Split-{f.TEST}" / "data.gz").write_bytes(b"not to be read")
    arguments.train_files = [str(copy / f"Split-{f.TRAIN}" / "*")]
    arguments.eval_files = [str(copy / f"Split-{f.VALIDATION}" / "*")]
    train.run_fn(arguments)
    assert len(json.loads((tmp_path / "run" / records.HISTORY_FILE).read_text())) == 2
