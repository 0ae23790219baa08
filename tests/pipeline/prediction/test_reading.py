"""The images that a person names to be classified."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from components.errors import UserError
from pipeline.prediction import reading
from pipeline.prediction.reading import Limits
from tests.datasets import png


def test_litter_and_descriptions_are_passed_over(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "a/1.jpg", "a/Thumbs.db", "@eaDir/1.jpg", ".ipynb_checkpoints/1.jpg", "README.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")

    def files(path: Path) -> list[Path]:
        return [Path(file) for file, _ in reading.files([str(path)])]

    assert files(tmp_path) == [tmp_path / "a/1.jpg", tmp_path / "b/2.jpg"]
    assert files(tmp_path / "README.txt") == [tmp_path / "README.txt"]  # named by the user
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "labels.csv").touch()
    with pytest.raises(UserError, match="the folder holds no image"):
        reading.files([str(tmp_path / "c")])


def test_remote_files_are_fetched_ahead_and_come_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a moment: 40 of them take less than one after the other, and no more than FETCHED come at a time."""
    image = png(np.zeros([4, 4, 3], np.uint8))
    for number in range(40):
        (tmp_path / f"{number:02d}.png").write_bytes(image if number % 7 else b"")
    read_bytes, coming, most = reading.read_bytes, 0, 0
    lock = threading.Lock()

    def slowly(path: str, limit: int) -> bytes:
        nonlocal coming, most
        with lock:
            coming += 1
            most = max(most, coming)
        time.sleep(0.02)
        with lock:
            coming -= 1
        return read_bytes(path, limit)

    monkeypatch.setattr(reading, "read_bytes", slowly)
    found = reading.files([f"file://{tmp_path}", f"file://{tmp_path}/03.png"])
    (batch,) = reading.batches(found, Limits(10**6, 10**6, None))
    names = [f"file://{tmp_path}/{number:02d}.png" for number in [*range(40), 3]]
    assert [name for name, _ in batch] == names
    assert [name for name, answer in batch if not isinstance(answer, bytes)] == names[0:40:7]
    assert 1 < most <= reading.FETCHED
