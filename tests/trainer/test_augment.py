"""Flip, translation, cutout and mixing against their plain definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.trainer.augment import Augmenter, Batch
from tests.trainer.conftest import settings_of


def apply(images: tf.Tensor, step: tf.Tensor | int, epoch: int = 0, **changes: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """What the settings, all other augmentations off, make of a whole batch."""
    count = images.shape[0]
    chain = Augmenter(settings_of(**{"flip": False, "translate": 0, "batch_size": count, **changes}))
    number, step = tf.range(count, dtype=tf.int64), tf.cast(step, tf.int64)
    return chain.apply(
        Batch(images, tf.zeros([count, 1]), number, tf.constant(epoch, tf.int64), step), lambda images: images
    )


def augment(images: tf.Tensor, seed: list[int], *, flip: bool, translate: int, epoch: int = 0) -> tf.Tensor:
    return apply(images, seed[1], epoch=epoch, flip=flip, translate=translate, seed=int(seed[0]))[0]


@given(
    st.integers(1, 4), st.integers(5, 9), st.integers(5, 9), st.integers(0, 4), st.booleans(), st.integers(0, 2**31 - 1)
)
@settings(max_examples=30, deadline=None)
def test_every_result_is_a_window_of_the_reflected_image(
    count: int, height: int, width: int, translate: int, flip: bool, seed: int
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)
    results = augment(tf.constant(images), [seed, 7], flip=flip, translate=translate).numpy()
    assert results.dtype == np.uint8
    border = [(translate, translate), (translate, translate), (0, 0)]
    for image, result in zip(images, results):
        mirrors = [image, image[:, ::-1]] if flip else [image]
        windows = [
            np.pad(mirror, border, mode="reflect")[top : top + height, left : left + width]
            for mirror in mirrors
            for top in range(2 * translate + 1)
            for left in range(2 * translate + 1)
        ]
        assert any(np.array_equal(result, window) for window in windows)


def test_nothing_asked_for_changes_nothing() -> None:
    images = tf.random.stateless_uniform([5, 8, 8, 3], [0, 0])
    np.testing.assert_array_equal(augment(images, [1, 2], flip=False, translate=0), images)


def test_all_moves_and_mirrors_are_equally_likely() -> None:
    image = np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1)
    results = augment(tf.constant(image.repeat(9000, 0)), [0, 0], flip=True, translate=1).numpy()
    _, counts = np.unique(results.reshape(9000, -1), axis=0, return_counts=True)
    assert len(counts) == 18
    assert counts.min() > 400  # 500 expected


@pytest.mark.parametrize("seed", [0, 1])
def test_in_two_epochs_every_image_is_seen_both_ways(seed: int) -> None:
    images = tf.random.stateless_uniform([1000, 4, 4, 1], [0, 0])
    first, second, third = (
        augment(images, [seed, epoch], flip=True, translate=0, epoch=epoch).numpy() for epoch in range(3)
    )
    np.testing.assert_array_equal(first[:, :, ::-1], second)
    np.testing.assert_array_equal(first, third)
    mirrored = np.any(first != images, axis=(1, 2, 3))
    assert 450 < mirrored.sum() < 550, "half of them begin with the mirror image"
    assert 450 < np.sum(mirrored[1:] == mirrored[:-1]) < 550, "whatever the order of the images"


def test_depends_on_the_seed_alone() -> None:
    images = tf.random.stateless_uniform([64, 8, 8, 3], [0, 0])

    def run(seed: list[int]) -> tf.Tensor:
        return augment(images, seed, flip=True, translate=2)

    np.testing.assert_array_equal(run([3, 4]), run([3, 4]))
    np.testing.assert_array_equal(tf.function(lambda: run([3, 4]))(), run([3, 4]))
    assert np.any(run([3, 4]) != run([3, 5]))


@pytest.mark.parametrize("translate", [0, 2])
def test_compiles_with_xla(translate: int) -> None:
    images = tf.random.stateless_uniform([4, 8, 8, 3], [0, 0])
    compiled = tf.function(lambda x: augment(x, [1, 1], flip=True, translate=translate), jit_compile=True)
    np.testing.assert_array_equal(compiled(images), augment(images, [1, 1], flip=True, translate=translate))
    blanked = tf.function(lambda x: cutout(x, 4), jit_compile=True)
    np.testing.assert_array_equal(blanked(images), cutout(images, 4))


def cutout(images: tf.Tensor, side: int, step: int = 0) -> tf.Tensor:
    return apply(images, step, cutout=side)[0]


@given(st.integers(1, 9), st.integers(0, 10), st.integers(0, 2**31 - 1))
@settings(max_examples=30, deadline=None)
def test_cutout_blanks_one_square_that_may_end_at_the_border(size: int, side: int, step: int) -> None:
    results = cutout(tf.ones([5, size, size, 3]), side, step).numpy()
    windows = {
        (
            max(0, row - side // 2),
            min(size, row - side // 2 + side),
            max(0, c - side // 2),
            min(size, c - side // 2 + side),
        )
        for row in range(size)
        for c in range(size)
    }
    for result in results:
        expected = [np.ones((size, size, 3)) for _ in windows]
        for blanked, (top, bottom, left, right) in zip(expected, windows):
            blanked[top:bottom, left:right] = 0
        assert any(np.array_equal(result, one) for one in expected)


def test_cutout_is_somewhere_else_in_each_image_and_step() -> None:
    images = tf.ones([2000, 8, 8, 1])
    first, second = cutout(images, 2, 0).numpy(), cutout(images, 2, 1).numpy()
    assert np.any(first != second)
    blanked = (first == 0).mean((0, 3))
    assert blanked[:-1, :-1].min() > 4 / 64 * 0.7, "every pixel is as likely, but for a border"
    assert blanked.max() < 4 / 64 * 1.3
    np.testing.assert_array_equal(cutout(images, 2, 1), second)


def mixed(step: int, seed: int = 0, **told: float) -> tuple[np.ndarray, np.ndarray]:
    """100 images of one colour each, their number, and their labels, each a class of its own."""
    images = tf.ones([100, 16, 16, 3]) * tf.reshape(tf.range(100.0), [100, 1, 1, 1])
    augmenter = Augmenter(settings_of(flip=False, translate=0, batch_size=100, seed=seed, **told))
    number, epoch = tf.range(100, dtype=tf.int64), tf.constant(0, tf.int64)
    mix = tf.function(lambda step: augmenter.apply(Batch(images, tf.eye(100), number, epoch, step), lambda x: x))
    results, labels = mix(tf.constant(step, tf.int64))
    return results.numpy(), labels.numpy()


def test_mixup_blends_two_images_and_their_labels_in_the_same_measure() -> None:
    images, labels = mixed(3, mixup=1.0)
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-5)
    assert np.all((labels > 0).sum(1) <= 2)
    assert np.mean((labels > 0).sum(1) == 2) > 0.9
    expected = np.broadcast_to((labels @ np.arange(100.0))[:, None, None, None], images.shape)
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-4)


def test_cutmix_pastes_one_rectangle_and_weighs_the_labels_by_its_area() -> None:
    images, labels = mixed(3, cutmix=1.0)
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-5)
    changed = 0
    for number, (image, label) in enumerate(zip(images, labels)):
        pasted = image[:, :, 0] != number
        changed += pasted.any()
        if pasted.any():
            rows, columns = np.flatnonzero(pasted.any(1)), np.flatnonzero(pasted.any(0))
            assert pasted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all(), "a rectangle"
            (other,) = np.unique(image[pasted])
            # Keras weighs by the rectangle before it is rounded to pixels.
            border = (len(rows) + len(columns) + 1) / 16**2
            assert abs(label[int(other)] - pasted.mean()) <= border
    assert changed > 70


@pytest.mark.parametrize("told", [{"mixup": 0.2}, {"cutmix": 1.0}], ids=str)
def test_mixing_depends_on_the_seed_and_the_step_alone(told: dict[str, float]) -> None:
    images, labels = mixed(3, **told)
    for values, again in zip((images, labels), mixed(3, **told)):
        np.testing.assert_array_equal(values, again)
    assert np.any(images != mixed(4, **told)[0])
    assert np.any(images != mixed(3, seed=1, **told)[0])
