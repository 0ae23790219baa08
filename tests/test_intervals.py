"""The intervals and tests: figures from the literature, and how often an interval holds what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.intervals import f1_score, mcnemar, mean, paired_difference, proportion, unpaired_difference


def test_wilson_interval_of_a_known_case() -> None:
    estimate = proportion(8, 10, 0.95)
    assert (estimate.low, estimate.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert proportion(0, 10, 0.95).low == 0


def test_normal_interval_of_a_known_case() -> None:
    estimate = mean(1.0, 0.1, 0.95)
    assert (estimate.low, estimate.high) == (pytest.approx(0.804, abs=1e-3), pytest.approx(1.196, abs=1e-3))
    assert mean(0.1, 0.1, 0.95).low == 0


def test_f1_interval_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    p = np.array([0.15, 0.05, 0.04, 0.76])  # TP, FP, FN, TN
    truth = 2 * p[0] / (2 * p[0] + p[1] + p[2])
    covered = 0
    for hits, false_positives, false_negatives, _ in random.multinomial(300, p, size=1000):
        estimate = f1_score(int(hits), int(hits + false_negatives), int(hits + false_positives), 0.95)
        covered += estimate.low <= truth <= estimate.high
    assert 0.93 <= covered / 1000 <= 0.97


def test_newcombe_s_own_example() -> None:
    """56 of 70 less 48 of 80: method 10 gives 0.0524 to 0.3339 (Newcombe 1998, table II)."""
    a, b = (proportion(*counts, 0.95) for counts in ((48, 80), (56, 70)))
    low, high = unpaired_difference(a, b)
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 100))
def test_the_paired_interval_turns_round_with_the_pair(gained: int, lost: int, more: int) -> None:
    pictures = gained + lost + more or 1
    low, high = paired_difference(gained, lost, pictures, 0.95)
    assert -1 <= low <= high <= 1
    assert (-high, -low) == pytest.approx(paired_difference(lost, gained, pictures, 0.95))


def test_the_paired_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    for up, down in ((0.1, 0.05), (0.02, 0.02), (0.3, 0.1)):
        draws = rng.multinomial(100, (up, down, 1 - up - down), 2000)
        ends = [paired_difference(int(gained), int(lost), 100, 0.95) for gained, lost, _ in draws]
        assert np.mean([low <= up - down <= high for low, high in ends]) > 0.93


def test_mcnemar_is_the_binomial_test_of_what_changed() -> None:
    assert mcnemar(6, 1) == pytest.approx(2 * (1 + 7) / 2**7)  # two-sided: 0 or 1 of 7, and as far on the other side
    assert mcnemar(0, 0) == 1.0
