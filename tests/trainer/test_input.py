"""Batches: the right images, in an order that nothing but the seed decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from components.contracts import features as f
from components.trainer import augment
from components.trainer import input as data
from components.trainer.augment import Augmentation, On
from components.trainer.augment.batch import Batch
from components.trainer.plan import Plan
from components.trainer.transform_graph import TransformGraph
from tests.datasets import digit_images, example
from tests.trainer.conftest import Data, plan_of

pytestmark = pytest.mark.slow  # the Transform stage runs first

PLENTY = 10**9
OF_PHOTOS = {"crop": 0.3, "rotate": 15.0, "jitter": 0.3, "erase": 0.5}


def plan(split: data.Split, **changes: object) -> Plan:
    return plan_of(split.count, **{"batch_size": 100, "epochs": 2, "translate": 0, **changes})


def open_split(digits: Data, split: str, cache_bytes: int) -> data.Split:
    graph = TransformGraph(digits.graph, 32)
    return data.open_split([str(digits.examples / f"Split-{split}" / "*")], graph, cache_bytes)


def images_and_labels(batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Every image of `batches` and its label."""
    images, one_hot = zip(*(batch[:2] for batch in batches.as_numpy_iterator()))
    return np.concatenate(images), np.concatenate(one_hot).argmax(1)


def test_the_cache_holds_the_pixels_and_gives_what_the_transform_graph_gives(digits: Data) -> None:
    cached, streamed = open_split(digits, f.VALIDATION, PLENTY), open_split(digits, f.VALIDATION, 0)
    assert streamed.cache is None
    assert cached.cache is not None
    pixels, labels = digit_images()
    np.testing.assert_array_equal(cached.cache.pixels, pixels[1400:1580])
    images, found = images_and_labels(data.validation_batches(cached, plan(cached)))
    expected, _ = images_and_labels(data.validation_batches(streamed, plan(streamed)))
    assert images.shape == (200, 32, 32, 3), "two whole batches, the second filled up"
    np.testing.assert_allclose(images[:180], expected[:180], atol=1e-5)
    np.testing.assert_array_equal(found[:180], labels[1400:1580])
    for split in (cached, streamed):
        weights = [weight for _, _, weight in data.validation_batches(split, plan(split)).as_numpy_iterator()]
        np.testing.assert_array_equal(np.concatenate(weights), [1] * 180 + [0] * 20)


def test_a_split_is_cached_up_to_the_budget(digits: Data) -> None:
    need = 180 * 32 * 32 * 3
    assert data.decoded_bytes(open_split(digits, f.VALIDATION, 0)) == need
    assert open_split(digits, f.VALIDATION, need).cache is not None
    assert open_split(digits, f.VALIDATION, need - 1).cache is None


@pytest.mark.parametrize("cache_bytes", [PLENTY, 0])
def test_an_epoch_has_each_image_once_and_every_epoch_another_order(digits: Data, cache_bytes: int) -> None:
    split = open_split(digits, f.TRAIN, cache_bytes)
    batches = data.training_batches(split, plan(split))
    for each in (batches, data.validation_batches(split, plan(split))):
        assert each.element_spec[0].shape == (100, 32, 32, 3), "static, as XLA wants it"
        assert each.element_spec[1].shape == (100, 10)
    images, labels = images_and_labels(batches)
    assert len(images) == 2 * 1400
    everything = np.sort(digit_images()[1][:1400])
    for epoch in (labels[:1400], labels[1400:]):
        np.testing.assert_array_equal(np.sort(epoch), everything)
    sums = images.sum((1, 2, 3))
    np.testing.assert_allclose(np.sort(sums[:1400]), np.sort(sums[1400:]), atol=0.1)
    assert np.mean(labels[:1400] != labels[1400:]) > 0.8
    assert np.mean(labels[:1400] != digit_images()[1][:1400]) > 0.8


@pytest.mark.parametrize("cache_bytes", [PLENTY, 0])
def test_batches_depend_on_the_seed_alone(digits: Data, cache_bytes: int) -> None:
    split = open_split(digits, f.TRAIN, cache_bytes)
    moving = plan(split, translate=2, flip=True, cutmix=1.0)
    images, labels = images_and_labels(data.training_batches(split, moving))
    again, again_labels = images_and_labels(data.training_batches(split, moving))
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, again_labels)
    _, others = images_and_labels(data.training_batches(split, plan(split, seed=1)))
    assert np.mean(labels != others) > 0.8


@pytest.mark.parametrize("cache_bytes", [PLENTY, 0])
def test_batches_go_on_in_the_middle_as_if_from_the_beginning(digits: Data, cache_bytes: int) -> None:
    """Images are told apart by their stable number: the order of the files."""
    split = open_split(digits, f.TRAIN, cache_bytes)
    varied = plan(split, translate=2, flip=True, cutout=4, mixup=0.2, batch_size=300, **OF_PHOTOS)
    whole = list(data.training_batches(split, varied).as_numpy_iterator())
    for first in (3, 4, 6):
        rest = list(data.training_batches(split, varied, first).as_numpy_iterator())
        assert len(rest) == 8 - first
        for (images, labels), (expected, expected_labels) in zip(rest, whole[first:]):
            np.testing.assert_array_equal(images, expected)
            np.testing.assert_array_equal(labels, expected_labels)


@pytest.mark.parametrize("mix", [{}, {"mixup": 0.2}, {"cutmix": 1.0}, OF_PHOTOS], ids=str)
@pytest.mark.parametrize("cache_bytes", [PLENTY, 0])
def test_the_parts_of_a_batch_are_what_the_whole_has_there(
    digits: Data, cache_bytes: int, mix: dict[str, float]
) -> None:
    split = open_split(digits, f.VALIDATION, cache_bytes)
    varied = plan(split, translate=2, flip=True, cutout=4, **mix)
    for make in (data.training_batches, data.validation_batches):
        whole = make(split, varied).as_numpy_iterator()
        parts = [make(split, varied, part=part).as_numpy_iterator() for part in (slice(0, 50), slice(50, 100))]
        for batch, *halves in zip(whole, *parts, strict=True):
            for values, *of_each in zip(batch, *halves, strict=True):
                np.testing.assert_array_equal(np.concatenate(of_each), values)


@pytest.mark.parametrize("cache_bytes", [PLENTY, 0])
def test_augmentation_is_told_each_images_number_the_epoch_and_the_step(
    digits: Data, cache_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def show(batch: Batch) -> Batch:
        drawn_from = [
            batch.index,
            tf.fill(tf.shape(batch.index), batch.epoch),
            tf.fill(tf.shape(batch.index), batch.step),
        ]
        return replace(batch, images=tf.cast(tf.stack(drawn_from, axis=1), tf.float32))

    monkeypatch.setattr(augment, "AUGMENTATIONS", (Augmentation(On.PIXELS, lambda settings: show),))
    monkeypatch.setattr(data, "_normalised", lambda images, split: images)
    split = open_split(digits, f.TRAIN, cache_bytes)
    batches = data.training_batches(split, plan(split, batch_size=300))
    labels = digit_images()[1]
    for number, (told, one_hot) in enumerate(batches.as_numpy_iterator()):
        np.testing.assert_array_equal(labels[told[:, 0].astype(int)], one_hot.argmax(1))
        assert set(told[:, 1]) == {number // 4}
        assert set(told[:, 2]) == {number}


def test_only_whole_batches_are_trained_on(digits: Data) -> None:
    split = open_split(digits, f.TRAIN, PLENTY)
    batches = data.training_batches(split, plan(split, batch_size=300, epochs=3))
    assert {images.shape[0] for images, _ in batches} == {300}
    assert len(list(batches)) == 3 * 4 == 3 * plan(split, batch_size=300).steps


def test_many_files_of_either_kind_are_streamed_in_a_fixed_order(digits: Data, tmp_path: object) -> None:
    pixels, labels = digit_images()
    folder = f"{tmp_path}/Split-train"
    tf.io.gfile.makedirs(folder)
    for shard in range(20):  # more files than are open at a time
        suffix, compression = (".gz", "GZIP") if shard % 2 else ("", "")
        with tf.io.TFRecordWriter(f"{folder}/data-{shard:02d}{suffix}", compression) as writer:
            for i in range(shard, 400, 20):
                writer.write(example(pixels[i], int(labels[i]), str(labels[i]), str(i)))
    split = data.open_split([f"{folder}/*"], TransformGraph(digits.graph, 32), 0)
    _, first = images_and_labels(data.training_batches(split, plan(split)))
    _, second = images_and_labels(data.training_batches(split, plan(split)))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.sort(first[:400]), np.sort(labels[:400]))
    assert np.mean(first[:400] != first[400:]) > 0.8
