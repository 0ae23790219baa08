"""A pretrained network: its last layer is fitted, then its layers are trained, and the better of the two is kept."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import progress
from components.contracts import features as f
from components.contracts import training as records
from components.trainer import head, train
from components.trainer.best import Best
from components.trainer.head import Features
from components.trainer.tune import tuner_fn
from tests.trainer.conftest import Data, plan_of, settings_of
from tests.trainer.test_resume import model_bytes, without_times

NETWORK: dict[str, Any] = {
    "network": "efficientnet_lite0",
    "epochs": 2,
    "batch_size": 64,
    "learning_rate": 0.0003,
    "fine_tune": "last",
    "keep": "best",
    "checkpoint_seconds": 1000,
}


@pytest.fixture(scope="module")
def whole(digits: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nobody stopped."""
    out = tmp_path_factory.mktemp("pretrained")
    train.run_fn(digits.fn_args(out, **NETWORK))
    return out


@pytest.mark.slow
def test_the_last_layer_is_fitted_first_and_the_best_epoch_is_exported(
    whole: Path, digits: Data, test_examples: list[bytes]
) -> None:
    history = records.read(str(whole / "run")).epochs
    assert [epoch.epoch for epoch in history] == [0, 1, 2]
    assert history[0].val_accuracy > 0.6, "the features of a network for photos tell even digits of 32 pixels apart"
    assert history[0].waiting is None
    best = max(history, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss))
    assert [epoch.epoch for epoch in history if epoch.kept] == [best.epoch]

    served = tf.saved_model.load(str(whole / "serving")).signatures[f.SERVING_DEFAULT]
    validation = str(digits.examples / f"Split-{f.VALIDATION}" / "data_tfrecord-00000-of-00001.gz")
    examples = list(tf.data.TFRecordDataset(validation, "GZIP").as_numpy_iterator())
    predicted = served(examples=tf.constant(examples))[f.CLASS_INDEX].numpy()
    labels = [tf.train.Example.FromString(one).features.feature[f.LABEL].int64_list.value[0] for one in examples]
    assert np.mean(predicted == labels) == pytest.approx(best.val_accuracy)
    assert len(test_examples) == len(served(examples=tf.constant(test_examples))[f.CLASS_INDEX])


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["features of image 512 of 1,", "features of image 64 of 180", "epoch 2/2, step 5/"])
def test_stopped_the_same_call_goes_on_and_gives_the_same(
    moment: str, whole: Path, digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.trainer.record._EVERY", 0)
    monkeypatch.setattr("components.trainer.loop._EXECUTION", 0)  # one step an execution
    arguments = digits.fn_args(tmp_path, **NETWORK, checkpoints=str(tmp_path / "checkpoints"))
    said: list[str] = []

    def press(text: str) -> None:
        said.append(text)
        if text.startswith(moment) and not any(text.startswith(moment) for text in said[:-1]):
            signal.raise_signal(signal.SIGINT)

    progress.listen(press)
    try:
        with pytest.raises(KeyboardInterrupt, match=r"^features of image (512|64) of|^step 26 of 42"):
            train.run_fn(arguments)
        said.append("again")
        train.run_fn(arguments)
    finally:
        progress.listen(None)
    resumed = said[said.index("again") + 1 :]
    assert said[0].startswith("features of image 64 of 1,")
    assert said[0] not in resumed, "it does not begin again"
    assert model_bytes(tmp_path) == model_bytes(whole)
    assert without_times(tmp_path) == without_times(whole)
    assert not list((tmp_path / "checkpoints").iterdir()), "nothing is kept of a finished training"


@pytest.mark.slow
def test_features_are_computed_once_for_an_ensemble_and_for_all_trials_of_a_search(
    whole: Path, digits: Data, tmp_path: Path
) -> None:
    settings = {**NETWORK, "epochs": 1, "checkpoints": str(tmp_path / "checkpoints")}
    said: list[str] = []
    progress.listen(said.append)
    try:
        search = {"trials": 2, "space": {"learning_rate": (0.0001, 0.001)}}
        tuner_fn(digits.fn_args(tmp_path / "search", **settings, **search)).tuner.search()
        assert sum(text.startswith("features of image 64 of 1,") for text in said) == 1
        said.clear()
        train.run_fn(digits.fn_args(tmp_path, **settings, ensemble=2))
    finally:
        progress.listen(None)
    assert not [text for text in said if text.startswith("features")], "the search's serve the training too"
    assert [text.split(",")[0] for text in said if "last layer" in text] == ["network 1/2", "network 2/2"]
    epochs = records.read(str(tmp_path / "run")).epochs
    assert [(epoch.network, epoch.epoch) for epoch in epochs] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    first = records.read(str(whole / "run")).epochs[0]
    assert [epochs[0].val_loss, epochs[2].val_loss] == [first.val_loss] * 2
    assert not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.slow
def test_networks_of_which_the_last_layer_alone_is_fitted_are_one(digits: Data, tmp_path: Path) -> None:
    train.run_fn(digits.fn_args(tmp_path / "base", **NETWORK | {"fine_tune": "none"}, ensemble=3))
    assert [epoch.epoch for epoch in records.read(str(tmp_path / "base" / "run")).epochs] == [0]
    arguments = digits.fn_args(tmp_path / "on", **NETWORK | {"fine_tune": "none"}, ensemble=3)
    arguments.base_model = str(tmp_path / "base" / "serving")
    train.run_fn(arguments)
    assert model_bytes(tmp_path / "on") == model_bytes(tmp_path / "base")


@pytest.mark.slow
@pytest.mark.parametrize(("bytes_", "images"), [(4 * 3072 * 200, 192), (10**9, None), (1, 64)])
def test_features_that_memory_cannot_hold_are_of_some_images(
    bytes_: int, images: int | None, digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "_MOST_BYTES", bytes_)
    settings = settings_of(batch_size=64, cache_bytes=0)
    split = train.read(digits.fn_args(tmp_path), settings).train
    layers = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dropout(0.2), keras.layers.Dense(10)]
    model = keras.Sequential([*layers, keras.layers.Rescaling(1.0)])
    strategy, kept = tf.distribute.get_strategy(), head.Kept("", 0, True)
    features = head.extract(model, split, plan_of(split.count, batch_size=64), strategy, kept)
    assert features.values.shape == (images or split.count, 3072)
    assert len(set(features.labels.tolist())) == 10


def test_the_regularisation_is_chosen_on_validation() -> None:
    """Features of which two of fifty say the class; an absent class; two classes."""
    random = np.random.default_rng(0)

    def features(count: int, classes: int) -> Features:
        labels = random.integers(0, classes, count)
        values = random.normal(size=(count, 50)).astype(np.float32)
        values[:, 0] += 4 * (labels == 0)
        values[:, 1] += 4 * (labels == 1)
        return Features(values, labels)

    for classes, known in ((3, 3), (2, 2), (4, 3)):
        train_, validation = features(200, known), features(2000, known)
        kernel, bias = head._regress(train_, validation, plan_of(classes=classes))
        assert (kernel.shape, bias.shape) == ((50, classes), (classes,))
        assert (kernel.dtype, bias.dtype) == (np.float32, np.float32)
        logits = validation.values @ kernel + bias
        assert np.mean(logits.argmax(1) == validation.labels) > 0.9
        strongest = head._weights(head.LogisticRegression(C=10.0, max_iter=200).fit(*vars(train_).values()), classes)
        assert head._cross_entropy(validation, kernel, bias) <= head._cross_entropy(validation, *strongest)


def test_the_best_epoch_survives_a_checkpoint() -> None:
    model = tf.keras.Sequential([tf.keras.Input((1,)), tf.keras.layers.Dense(1)])
    best = Best(model, keeps=True)
    for number, (accuracy, loss, weight) in enumerate(
        [(0.5, 1.0, 1.0), (0.7, 0.9, 2.0), (0.7, 0.8, 3.0), (0.6, 0.1, 4.0)]
    ):
        model.set_weights([np.full((1, 1), weight), np.zeros(1)])
        best.offer({"epoch": number, "val_accuracy": accuracy, "val_loss": loss})
    assert best.epoch == 2
    other = Best(model, keeps=True)
    other.deserialize(best.serialize())
    other.offer({"epoch": 4, "val_accuracy": 0.7, "val_loss": 0.85})
    other.load()
    assert (other.epoch, model.get_weights()[0].item()) == (2, 3.0)
    empty = Best(model, keeps=False)
    empty.deserialize(Best(model, keeps=False).serialize())
    empty.offer({"epoch": 1, "val_accuracy": 0.1, "val_loss": 3.0})
    assert empty.epoch == 1


@pytest.mark.parametrize(
    ("images", "asked", "chosen", "epochs"),
    [
        (500, "auto", "none", 0),
        (2000, "auto", "last", 5),
        (500, "all", "all", 5),
        (50_000, "auto", "last", 5),
        (500, "last", "last", 5),
        (500, "none", "none", 0),
    ],
)
def test_what_is_trained_follows_the_number_of_images(images: int, asked: str, chosen: str, epochs: int) -> None:
    plan = plan_of(images, network="efficientnet_lite0", fine_tune=asked, epochs=5)
    assert (plan.settings.fine_tune, plan.settings.epochs) == (chosen, epochs)


@pytest.mark.slow
def test_patience_ends_a_training_that_no_longer_improves(digits: Data, tmp_path: Path) -> None:
    """With a rate so low that nothing is learned."""
    train.run_fn(digits.fn_args(tmp_path, epochs=9, patience=2, learning_rate=1e-12, keep="best"))
    history = records.read(str(tmp_path / "run")).epochs
    best = next(epoch.epoch for epoch in history if epoch.kept)
    assert len(history) < 9
    assert history[-1].epoch == best + 2
