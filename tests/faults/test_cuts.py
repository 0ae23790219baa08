"""Every cut of an archive, of every kind, is named in one line: never a traceback, never a silent loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import cuts


def test_cuts(tmp_path: Path) -> None:
    """At each block of 512 bytes and beside it, and some between."""
    for name, raw in cuts.archives(tmp_path, 8).items():
        at = {*range(0, len(raw), 512), *range(1, len(raw), 512), *range(511, len(raw), 512), *range(0, len(raw), 97)}
        cuts.try_cuts(tmp_path / name, raw, sorted({*at, len(raw) - 1, len(raw)}))


@pytest.mark.chaos
def test_every_cut(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    for name, raw in cuts.archives(tmp_path, 24).items():
        record_property(name, cuts.try_cuts(tmp_path / name, raw, range(len(raw) + 1)))
