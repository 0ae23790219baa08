"""Assignment of images to splits by a hash of their pixels, class by class.

The images of a class, in the order of their hashes, are cut at the configured shares: the shares are exact to one
image, images with the same pixels stay together, and adding images moves few others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from components.contracts.features import SPLITS, TEST, TRAIN, VALIDATION


class Cut(NamedTuple):
    """Hashes below `test` go to test, from there below `validation` to validation, the rest to train."""

    test: int
    validation: int


def cut(hashes: np.ndarray, shares: Mapping[str, float], given_splits: Collection[str]) -> Cut:
    """Return where to cut one class's hashes, uint64 [N], of the images that could go to train.

    A split in `given_splits` comes with the source and takes nothing here; the others take their share of what they and
    train have together. Each gets at least one image where the class has that many different ones; train first, then
    test.
    """
    distinct, counts = np.unique(hashes, return_counts=True)
    if not len(distinct):
        return Cut(0, 0)
    images = np.concatenate([[0], np.cumsum(counts)])  # in the first k different hashes
    last_index = len(distinct) - 1  # at least one for train
    total = sum(shares[split] for split in SPLITS if split == TRAIN or split not in given_splits)

    def nearest(share: float) -> int:
        return int(np.abs(images - share / total * len(hashes)).argmin())

    test = validation = 0  # how many different hashes lie below each cut
    share = 0.0
    if TEST not in given_splits:
        share = shares[TEST]
        room = last_index - 1 if VALIDATION not in given_splits and last_index >= 2 else last_index
        test = min(max(nearest(share), 1), room)
    if VALIDATION not in given_splits:
        share += shares[VALIDATION]
        validation = min(max(nearest(share), test + 1), last_index)
    validation = max(test, validation)
    return Cut(int(distinct[test]), int(distinct[validation]))


def assign(hashes: np.ndarray, cuts: Cut) -> np.ndarray:
    """Return indices into SPLITS, int8 [N], of hashes uint64 [N]."""
    codes = np.full(len(hashes), SPLITS.index(TRAIN), np.int8)
    codes[hashes < np.uint64(cuts.validation)] = SPLITS.index(VALIDATION)
    codes[hashes < np.uint64(cuts.test)] = SPLITS.index(TEST)
    return codes
