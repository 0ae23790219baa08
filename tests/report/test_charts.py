"""The charts of the pages: what they say of any data, beside what the browser tests measure of one."""

from __future__ import annotations

import re
import warnings
from datetime import datetime, timedelta

import pytest

from components.report import charts

SPANS = [3, 95, 119, 150, 900, 7_000, 40_000, 170_000, 900_000, 5_000_000, 50_000_000, 400_000_000]  # seconds


@pytest.mark.parametrize("seconds", SPANS)
def test_the_axis_of_dates_has_ticks_over_every_span(seconds: float) -> None:
    """And the library has nothing to complain of, which a run would print."""
    start = datetime(2026, 1, 30, 23, 58, 40)
    runs = [
        charts.Run(start + timedelta(seconds=at), 0.9, 0.8, 0.95, f"run {at}", f"{at}.html") for at in (0.0, seconds)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = charts.history("accuracy over time", runs, "accuracy")
    ticks = re.findall(r">(\d\d:\d\d(?::\d\d)?|\d\d-\d\d|\d{4}-\d\d|\d{4})</text>", svg)
    assert 1 <= len(set(ticks)) <= 6
    assert len(set(ticks)) == len(ticks), "no two ticks say the same"
    assert svg.count("<a ") == 2
