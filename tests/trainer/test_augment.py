"""Flip, translation, cutout and mixing against their plain definitions."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.trainer.augment import Augmenter
from components.trainer.augment.batch import FULL_BATCH, Batch, uniform
from components.trainer.augment.values import _JITTER
from tests.trainer.conftest import settings_of

BLACK, WHITE = tf.constant([-2.0, -1.0, -0.5]), tf.constant([1.5, 3.0, 2.5])  # as Transform may normalise them


def apply(
    images: tf.Tensor, step: tf.Tensor | int, epoch: int = 0, part: slice = FULL_BATCH, **changes: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """What the settings, all other augmentations off, make of the part of a whole batch."""
    count = images.shape[0]
    chain = Augmenter(settings_of(**{"flip": False, "translate": 0, "batch_size": count, **changes}), part)
    batch = Batch(
        images[part],
        tf.eye(count)[part],
        tf.range(count, dtype=tf.int64)[part],
        tf.constant(epoch, tf.int64),
        tf.cast(step, tf.int64),
        BLACK[: images.shape[-1]],
        WHITE[: images.shape[-1]],
        part,
    )
    return chain.apply(batch, lambda images: images)


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
    mix = tf.function(
        lambda step: augmenter.apply(Batch(images, tf.eye(100), number, epoch, step, BLACK, WHITE), lambda x: x)
    )
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


def photos(count: int, size: int = 24) -> tf.Tensor:
    """Smooth images between black and white, each another."""
    waves = tf.random.stateless_uniform([count, 5, 5, 3], [1, 2])
    return BLACK + tf.image.resize(waves, [size, size], "bilinear") * (WHITE - BLACK)


@pytest.mark.parametrize("told", [
    {"crop": 0.3}, {"rotate": 20.0}, {"jitter": 0.4}, {"erase": 1.0}, {"translate": 0.2}, {"cutout": 0.3},
    {"crop": 0.5, "rotate": 10.0, "jitter": 0.2, "erase": 0.5, "translate": 0.1},
], ids=str)  # fmt: skip
def test_a_variation_of_a_photo_changes_its_image_alone_by_the_seed_and_the_step_alone(told: dict[str, float]) -> None:
    one = photos(1)
    images = tf.repeat(one, 40, axis=0)
    results, labels = apply(images, 5, **told)
    assert results.shape == images.shape
    assert results.dtype == tf.float32
    np.testing.assert_array_equal(labels, np.eye(40))
    assert len(np.unique(results.numpy().reshape(40, -1), axis=0)) > 30, "each image is drawn for anew"
    assert np.all(results >= BLACK - 1e-5)
    assert np.all(results <= WHITE + 1e-5)

    again = tf.function(lambda step: apply(images, step, **told)[0])
    np.testing.assert_allclose(again(tf.constant(5)), results, atol=1e-5)
    assert np.any(apply(images, 6, **told)[0] != results)
    assert np.any(apply(images, 5, seed=1, **told)[0] != results)
    parts = [apply(images, 5, part=part, **told)[0] for part in (slice(0, 10), slice(10, 40))]
    np.testing.assert_array_equal(np.concatenate(parts), results)


def test_the_variations_of_photos_are_drawn_apart() -> None:
    """One draw for all would crop at the top whatever is erased at the top."""
    images = tf.repeat(photos(1), 500, axis=0)
    left = apply(images * 0 + tf.range(24.0)[:, None], 0, crop=0.3)[0][:, 0, 0, 0].numpy()
    shade = apply(images, 0, jitter=0.3)[0].numpy().mean((1, 2, 3))
    assert abs(np.corrcoef(left, shade)[0, 1]) < 0.15


def test_a_crop_has_its_share_of_the_area_and_ends_inside() -> None:
    size, count = 32, 3000
    columns = tf.tile(tf.range(float(size))[None, None, :, None], [count, size, 1, 1])
    grid = tf.concat([columns, tf.transpose(columns, [0, 2, 1, 3])], axis=3) / (size - 1)  # where a pixel comes from
    results = apply(grid, 0, crop=0.2)[0].numpy()
    left, top = results[:, 0, 0].T
    right, bottom = results[:, -1, -1].T
    width, height = right - left, bottom - top
    area, aspect = width * height, width / height
    assert area.min() > 0.2 - 1e-4
    assert area.max() > 0.9
    assert abs(area.mean() - 0.6) < 0.02, "every share is as likely"
    assert aspect.min() > 3 / 4 - 1e-3
    assert aspect.max() < 4 / 3 + 1e-3
    assert min(left.min(), top.min()) >= 0
    assert max(right.max(), bottom.max()) <= 1
    for first, length in ((left, width), (top, height)):
        assert abs(np.mean(first / (1 - length)) - 0.5) < 0.03, "everywhere as likely"
    steps = np.diff(results[:, 0, :, 0], axis=1)
    np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(1, keepdims=True), steps.shape), atol=1e-4)


@given(st.integers(1, 300), st.integers(0, 2**31 - 1), st.floats(0.05, 0.999))
@settings(max_examples=30, deadline=None)
def test_nothing_from_outside_comes_into_a_crop(size: int, seed: int, least: float) -> None:
    white = tf.fill([20, size, size, 1], tf.constant(255, tf.uint8))
    np.testing.assert_allclose(apply(white, 0, crop=least, seed=seed)[0], 255, rtol=1e-5)


def test_a_rotation_turns_about_the_centre_by_at_most_its_degrees() -> None:
    size, count = 33, 500
    columns = tf.tile(tf.range(float(size))[None, None, :, None], [count, size, 1, 1])
    results = apply(columns, 0, rotate=30.0)[0].numpy()[..., 0]
    np.testing.assert_allclose(results[:, 16, 16], 16, atol=1e-3)
    cos, sin = results[:, 16, 17] - results[:, 16, 16], results[:, 16, 16] - results[:, 17, 16]
    np.testing.assert_allclose(cos**2 + sin**2, 1, atol=1e-3)
    degrees = np.degrees(np.arctan2(sin, cos))
    assert -30.01 < degrees.min() < -28
    assert 28 < degrees.max() < 30.01
    assert abs(degrees.mean()) < 2
    np.testing.assert_allclose(apply(tf.ones([9, 7, 7, 3]), 0, rotate=180.0)[0], 1, rtol=1e-5)


def test_jitter_is_brightness_then_contrast_then_saturation_of_the_levels() -> None:
    images = photos(50)
    draws = uniform(3, 50, 0, tf.constant(9), _JITTER)
    factors = [1 + (2 * draw.numpy() - 1) * 0.1 for draw in draws]
    brightness, contrast, saturation = (factor[:, None, None, None] for factor in factors)
    levels = (images - BLACK) / (WHITE - BLACK) * brightness

    def grey(levels: np.ndarray) -> np.ndarray:
        return (levels @ np.float32([0.299, 0.587, 0.114]))[..., None]  # type: ignore[no-any-return]

    mean = grey(np.asarray(levels)).mean((1, 2, 3), keepdims=True)
    levels = np.asarray(mean + contrast * (levels - mean))
    levels = grey(levels) + saturation * (levels - grey(levels))
    expected = BLACK + levels.clip(0, 1) * (WHITE - BLACK)
    np.testing.assert_allclose(apply(images, 9, jitter=0.1)[0], expected, atol=1e-4)


def test_what_is_grey_stays_grey() -> None:
    grey = BLACK + tf.random.stateless_uniform([20, 9, 9, 1], [0, 0]) * (WHITE - BLACK)
    levels = (apply(grey, 0, jitter=0.5)[0] - BLACK) / (WHITE - BLACK)
    np.testing.assert_allclose(levels, np.broadcast_to(levels[..., :1], levels.shape), atol=1e-5)


def test_erasing_blanks_one_rectangle_in_its_share_of_the_images() -> None:
    results = apply(tf.ones([2000, 40, 40, 3]), 0, erase=0.3)[0].numpy()
    blanked = results[..., 0] == 0
    np.testing.assert_array_equal(results == 0, np.repeat(blanked[..., None], 3, axis=3))
    np.testing.assert_array_equal(results[~blanked], 1)
    hit = blanked.any((1, 2))
    assert 0.27 < hit.mean() < 0.33
    for each in blanked[hit]:
        rows, columns = np.flatnonzero(each.any(1)), np.flatnonzero(each.any(0))
        assert each[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all(), "a rectangle"
    shares = blanked[hit].mean((1, 2))
    assert 0.01 < shares.min() < 0.05
    assert 0.28 < shares.max() < 0.36


@pytest.mark.parametrize("told", [{"translate": (0.25, 2)}, {"cutout": (0.5, 4)}], ids=str)
def test_a_length_below_one_is_a_share_of_the_side(told: dict[str, tuple[float, int]]) -> None:
    images = tf.random.stateless_uniform([30, 8, 8, 3], [0, 0])
    share, pixels = ({name: ends[i] for name, ends in told.items()} for i in (0, 1))
    np.testing.assert_array_equal(apply(images, 3, **share)[0], apply(images, 3, **pixels)[0])


def test_a_seed_moves_and_blanks_what_it_always_did() -> None:
    """A change of the draws would change every model: these are the bytes since the first version."""
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), np.uint8))
    results, _ = apply(images, 17, epoch=3, flip=True, translate=2, cutout=8)
    assert hashlib.sha256(results.numpy().tobytes()).hexdigest()[:16] == "a4316431f44f4411"
