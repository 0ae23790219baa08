"""The images that a person names to be classified."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import UserError
from pipeline.prediction import reading


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
