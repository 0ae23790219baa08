"""Imports without the garbage collector."""

from __future__ import annotations

import gc

import pytest

from components.imports import gc_paused


def test_the_collector_rests_and_leaves_alone_what_was_made() -> None:
    frozen = gc.get_freeze_count()
    with gc_paused():
        assert not gc.isenabled()
        made = [[number] for number in range(1000)]
    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() >= frozen + len(made)
    finally:
        gc.unfreeze()


def test_it_collects_again_after_an_error() -> None:
    with pytest.raises(ImportError), gc_paused():
        raise ImportError
    assert gc.isenabled()
    gc.unfreeze()
