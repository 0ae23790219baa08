"""What a file is, whatever it is called, and the way on from what is not read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest
import zstandard

from components.errors import UserError
from components.example_gen.archives import file_types
from components.example_gen.formats.detect import inventory
from components.example_gen.sources import locate
from tests.example_gen import datasets

UNREAD = {
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4", r"a 7z archive, which is not read here\. Unpack it \(7z x"),
    "rar": (b"Rar!\x1a\x07\1\0", "a RAR archive, which is not read here"),
    "tar.lz4": (b"\x04\x22\x4d\x18\x64\x40", r"compressed by lz4, which is not read here\. Decompress it \(lz4 -d"),
    "tar.lz": (b"LZIP\1", r"compressed by lzip, .* \(lzip -d"),
    "tar.Z": (b"\x1f\x9d\x90", r"compressed by compress, .* \(uncompress"),
    "h5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    "npy": (b"\x93NUMPY\1\0", "a NumPy array"),
    "zip": (b"PK\x03\x04\x14\0", "a zip without the directory at its end: cut off, or one part of several"),
    "csv.gz": (gzip.compress(b"a,b"), "compressed by gzip, but not a tar: one file"),
    "gz": (gzip.compress(b"x" * 9999)[:15], "damaged, or not the type"),
    "csv.bz2": (bz2.compress(b"a,b"), "compressed by bzip2, but not a tar"),
    "csv.xz": (lzma.compress(b"a,b"), "compressed by xz, but not a tar"),
    "csv.zst": (zstandard.compress(b"a,b"), "compressed by zstd, but not a tar"),
    "tar.zst": (zstandard.compress(os.urandom(999))[:9], "damaged, or not the type"),
    "tar": (b"x" * 10240, "damaged, or not the type"),
    "png": (b"]\0\0 not lzma", "not a kind of file known here"),
}


@pytest.mark.parametrize("ending", UNREAD)
def test_the_way_on_from_what_is_not_read(tmp_path: Path, ending: str) -> None:
    content, message = UNREAD[ending]
    path = tmp_path / f"pets.{ending}"
    path.write_bytes(content + os.urandom(600) if len(content) < 9 else content)
    assert file_types.archive_type(str(path)) is None
    with pytest.raises(UserError, match=rf"pets\.{ending}: {message}") as caught:
        locate(str(path), "")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=rf"pets\.{ending}: {message}"):  # where the path is remote, when the run starts
        inventory("archive", str(path))


def test_names_do_not_matter(tmp_path: Path) -> None:
    tar = datasets.tar(tmp_path / "cat.zip", {"cat/1.png": b"1"})
    packed = datasets.tar(tmp_path / "pets.tar", {"cat/1.png": b"1"}, "w:gz")
    zipped = datasets.zipped(tmp_path / "pets.tgz", {"cat/1.png": b"1"})
    assert [file_types.archive_type(str(path)) for path in (tar, packed, zipped)] == ["tar", "packed tar", "zip"]


@pytest.mark.parametrize("name", ["a.tar", "A.TAR.GZ", "a.tgz", "a.zip", "a.7z", "a.rar", "a.zip.001", "a.z01"])
def test_endings(name: str) -> None:
    assert file_types.ENDINGS.search(name)
    assert not file_types.ENDINGS.search(name + ".jpg")


def test_a_pipe_is_no_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(UserError, match=r"pipe\.tar: neither a file nor a folder"):
        locate(str(tmp_path / "pipe.tar"), "")
