"""What is never meant as data, and how files are listed and read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components import file_names, files


@pytest.mark.parametrize(
    "path",
    [
        *("@eaDir/SYNOFILE_THUMB_M.jpg", "cat/@eaDir/1.jpg", "#recycle/1.jpg", "@Recently-Snapshot/a/1.jpg"),
        *("$RECYCLE.BIN/1.jpg", "System Volume Information/x", ".Spotlight-V100/x", "lost+found/1.jpg"),
        *("cat/Thumbs.db", "ehthumbs.db", "cat/Icon\r", ".DS_Store", "cat/._1.jpg", "__MACOSX/cat/._1.jpg"),
        *(".ipynb_checkpoints/1-checkpoint.jpg", "cat/desktop.ini"),
    ],
)
def test_litter(path: str) -> None:
    assert file_names.is_ignored(path)


@pytest.mark.parametrize("path", ["cat/1.jpg", "./cat/1.jpg", "icon/1.png", "#1/1.jpg", "Recycled/1.jpg"])
def test_no_litter(path: str) -> None:
    assert not file_names.is_ignored(path)


def test_descriptions_by_their_names() -> None:
    names = ("README.dataset.txt", "cat/1.XML", "data.yaml", "LICENSE", "coco.json", "_classes.csv", "a.csv.gz")
    for name in names:
        assert file_names.is_description(name), name
    # Whatever the list does not name goes to the reader, which gives a reason.
    for name in ("cat/1.jpg", "cat.txt/1", "1", "scan.pdf", "a.npy", "photo.heic", "x.tar", "cat/1.jpeg2"):
        assert not file_names.is_description(name), name


def test_records_by_their_names() -> None:
    for name in ("a.tfrecord", "a.tfrecords.gz", "00-32x32.tfrec", "a.tfrec.gz", "a.record", "train-00000-of-00002"):
        assert file_names.is_records(name), name
    for name in ("a.tfrecord.idx", "a.tfrecord.json", "a.rec", "record/1.jpg", "records.csv"):
        assert not file_names.is_records(name), name


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        files.read_bytes(str(tmp_path / "pipe"), 10)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link = tmp_path / "page.html", tmp_path / "link"
    path.write_text("old")
    link.symlink_to(path)
    with pytest.raises(UnicodeEncodeError):
        files.write_atomic(path, "new \ud800")
    assert path.read_text() == "old"

    def full(*unused: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            files.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [link, path]
    files.write_atomic(link, "new ä")
    assert (path.read_bytes(), link.is_symlink()) == ("new ä".encode(), True)
    files.write_atomic("/dev/null", "a device is written to, and never replaced")
    assert not Path("/dev/null").is_file()
