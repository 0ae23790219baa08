"""Imports without the garbage collector, and without Ctrl-C where further calls follow."""

from __future__ import annotations

import gc
import signal
import sys

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


def test_ctrl_c_waits_for_whole_imports_where_further_calls_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    @gc_paused()
    def load() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append(hasattr(sys, "ps1"))

    with pytest.raises(KeyboardInterrupt):
        load()
    assert done == [], "a script ends at once"
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with pytest.raises(KeyboardInterrupt):
        load()
    assert done == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert gc.isenabled()
