"""Splits by hash: exact shares, the same pixels together, few moves, every split filled where it can be."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.features import SPLITS, TEST, TRAIN, VALIDATION
from components.example_gen import splits
from tests.example_gen.datasets import SHARES

HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=200, unique=True)


def dealt(hashes: list[int], given_splits: set[str] | None = None) -> list[str]:
    array = np.array(hashes, np.uint64)
    return [SPLITS[code] for code in splits.assign(array, splits.cut(array, SHARES, given_splits or set()))]


@given(HASHES)
def test_shares_are_exact_to_one_image(hashes: list[int]) -> None:
    counts = Counter(dealt(hashes))
    for split in SPLITS:
        assert abs(counts[split] - SHARES[split] * len(hashes)) <= (1 if len(hashes) >= 10 else 2)


@given(HASHES)
def test_each_split_gets_one_where_there_are_enough(hashes: list[int]) -> None:
    filled = set(dealt(hashes))
    assert filled == [{TRAIN}, {TRAIN, TEST}, set(SPLITS)][min(len(hashes), 3) - 1]


@given(HASHES, st.sampled_from([{TEST}, {VALIDATION}, {TEST, VALIDATION}]))
def test_given_splits_take_nothing(hashes: list[int], given_splits: set[str]) -> None:
    counts = Counter(dealt(hashes, given_splits))
    assert not set(counts) & given_splits
    total = sum(SHARES[split] for split in SPLITS if split not in given_splits)
    for split in set(SPLITS) - given_splits:
        assert abs(counts[split] - SHARES[split] / total * len(hashes)) <= 1


@given(st.lists(st.integers(0, 20), min_size=1, max_size=100))
def test_equal_hashes_stay_together(hashes: list[int]) -> None:
    where = {}
    for value, split in zip(hashes, dealt(hashes)):
        assert where.setdefault(value, split) == split


@given(HASHES, st.randoms())
def test_order_does_not_matter(hashes: list[int], random: object) -> None:
    mixed = list(hashes)
    random.shuffle(mixed)
    assert dict(zip(hashes, dealt(hashes))) == dict(zip(mixed, dealt(mixed)))


def test_added_images_move_few_others() -> None:
    rng = np.random.default_rng(0)
    before = rng.integers(0, 2**64, 5000, dtype=np.uint64)
    after = np.concatenate([before, rng.integers(0, 2**64, 50, dtype=np.uint64)])
    moved = sum(a != b for a, b in zip(dealt(before.tolist()), dealt(after.tolist())))
    assert moved <= 50


def test_cifar_10() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 5000, dtype=np.uint64).tolist()
    assert Counter(dealt(hashes, {TEST})) == {TRAIN: 4444, VALIDATION: 556}
