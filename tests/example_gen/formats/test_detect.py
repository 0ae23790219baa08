"""The registry of formats, and remote paths whose names do not tell what lies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import UserError
from components.example_gen.formats import FORMATS, detect
from pipeline import ROOT
from tests.example_gen import datasets

TWO = datasets.images_of({"cat": 2, "dog": 2})


def test_every_format_is_listed_once_and_documented() -> None:
    names = [fmt.name for fmt in FORMATS]
    assert len(set(names)) == len(names)
    assert names[-1] == "folder", "what no other format matches"
    modules = {path.stem for path in (ROOT / "components/example_gen/formats").glob("*.py")}
    assert set(names) == modules - {"__init__", "base", "detect", "labelled_files", "parquet_columns", "table_rows"}
    documents = ((ROOT / "docs/data.md").read_text() + (ROOT / "docs/archives.md").read_text()).casefold()
    assert not [name for name in names if name not in documents]
    assert all(bool(fmt.several) == bool(fmt.file) for fmt in FORMATS)
    assert all(fmt.expected in detect.expected() for fmt in FORMATS)


def test_a_path_whose_name_does_not_tell_is_looked_up_when_the_run_starts(tmp_path: Path) -> None:
    """As a remote path is: its name says `folder`, and there is another thing."""
    datasets.tar(tmp_path / "pets", TWO)
    assert len(detect.inventory("folder", str(tmp_path / "pets")).units) == 1
    (tmp_path / "more").mkdir()
    for i in range(2):
        datasets.tfrecords(tmp_path / "more" / f"{i}.tfrecord", [{"image": b"png", "label": i}])
    assert len(detect.inventory("folder", str(tmp_path / "more")).units) == 2
    assert len(detect.inventory("folder", str(tmp_path / "more" / "*")).units) == 2
    with pytest.raises(UserError, match=r"nothing\*: no file matches"):
        detect.inventory("folder", str(tmp_path / "nothing*"))
