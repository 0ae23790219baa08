"""The bins: every value has one."""

from __future__ import annotations

import pytest

from components.evaluator.slices import brightness_bin, size_bin


@pytest.mark.parametrize(
    ("brightness", "name"),
    [(0.0, "0.0 to 0.1"), (0.31, "0.3 to 0.4"), (0.9999, "0.9 to 1.0"), (1.0, "0.9 to 1.0")],
)
def test_brightness(brightness: float, name: str) -> None:
    assert brightness_bin(brightness) == name


@pytest.mark.parametrize(
    ("height", "width", "name"),
    [
        (32, 32, "32 to 63 pixels"),
        (31, 500, "16 to 31 pixels"),
        (4000, 64, "64 to 127 pixels"),
        (1, 9, "1 to 1 pixels"),
    ],
)
def test_size_is_of_the_shorter_side(height: int, width: int, name: str) -> None:
    assert size_bin(height, width) == name
