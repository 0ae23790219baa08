"""The weights of the classes against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from components.trainer import class_weights


def test_balanced_weights_make_all_classes_equal() -> None:
    images = [400, 100, 40, 7]
    weights = class_weights.of("balanced", images)
    np.testing.assert_allclose([weight * count for weight, count in zip(weights, images)], sum(images) / 4)


@pytest.mark.parametrize("kind", ["balanced", "effective"])
@pytest.mark.parametrize("images", [[1, 1], [501, 137, 482], [50_000, 3, 100_000], [5, 0, 10]], ids=str)
def test_the_mean_weight_of_the_training_images_is_one(kind: str, images: list[int]) -> None:
    weights = class_weights.of(kind, images)
    assert np.average(weights, weights=images) == pytest.approx(1)
    by_size = [weight for count, weight in sorted(zip(images, weights), reverse=True) if count]
    assert by_size == sorted(by_size), "the fewer images, the more one of them weighs"
    assert all(weight == 0 for weight, count in zip(weights, images) if not count)


def test_effective_weights_are_milder_for_large_classes() -> None:
    large, small = class_weights.of("effective", [100_000, 1_000])
    assert small / large == pytest.approx((1 - 0.999**100_000) / (1 - 0.999**1_000))
    assert 1.5 < small / large < 1.6


def test_none_are_no_weights() -> None:
    assert class_weights.of("none", [3, 4]) == ()
