"""The statistics of an image are what their definitions say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.example_gen import measures

GOLDEN = [
    [0.4998379806219363, 0.19388203988580865, 0.22357252110163595, 0.5456778446502547],
    [0.4985791001263787, 0.19334494312272407, 0.2212240342315427, 0.544358584646528],
]


def plainly(pixels: np.ndarray) -> list[float]:
    """Return the statistics as their definitions read."""
    red, green, blue = (pixels[..., i] / 255 for i in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    steps = [*np.abs(np.diff(luma, axis=0)).ravel(), *np.abs(np.diff(luma, axis=1)).ravel()]
    rg, yb = red - green, (red + green) / 2 - blue
    colour = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    return [luma.mean(), luma.std(), np.mean(steps) if steps else 0.0, colour]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (32, 32), (600, 700)])
def test_statistics(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.allclose(measures.statistics(pixels[None])[0], plainly(pixels), atol=1e-9)


def test_statistics_of_one_colour() -> None:
    values = measures.statistics(np.full((1, 8, 8, 3), 200, np.uint8))[0]
    assert np.allclose(values, [200 / 255, 0, 0, 0], atol=1e-7)


def test_the_values_of_small_images_are_those_of_earlier_releases() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, measures.SIDE, 3), dtype=np.uint8)
    assert all(measures.measured(image) is image for image in pixels)
    assert measures.statistics(pixels).tolist() == GOLDEN


def test_a_large_image_is_measured_by_the_means_of_its_areas() -> None:
    areas = np.random.default_rng(0).integers(0, 256, (measures.SIDE // 2, measures.SIDE, 3), dtype=np.uint8)
    assert np.array_equal(measures.measured(areas.repeat(2, 0).repeat(2, 1)), areas)
    noise = np.random.default_rng(1).integers(0, 256, (300, 900, 3), dtype=np.uint8)
    small = measures.measured(noise)
    assert small.shape == (85, measures.SIDE, 3)
    assert abs(small.mean() - noise.mean()) < 0.5


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_statistics_do_not_depend_on_the_batch(count: int, seed: int) -> None:
    batch = np.random.default_rng(seed).integers(0, 256, (count, 11, 13, 3), dtype=np.uint8)
    assert np.array_equal(measures.statistics(batch), np.concatenate([measures.statistics(one[None]) for one in batch]))
