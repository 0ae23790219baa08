"""Zips: names as their writers meant them, and what of a zip is not read."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from components.errors import UserError
from components.example_gen.formats.detect import inventory
from tests.example_gen import datasets
from tests.example_gen.formats.test_archive import read


def test_what_zips_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("pets/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("pets/lzma.png", b"x" * 100, zipfile.ZIP_LZMA)
    assert dict(read(path)) == {
        "pets/link.png": "a link, which could point outside the archive",
        "pets/lzma.png": "compressed by lzma and not by deflate: unpack the archive and give the folder",
    }
    raw = bytearray(datasets.zipped(path, {"a/secret.png": b"x" * 100}).read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # as if encrypted
    path.write_bytes(raw)
    assert dict(read(path)) == {"a/secret.png": "encrypted: unpack the archive with its password and give the folder"}


def test_two_zips_joined_are_named(tmp_path: Path) -> None:
    raw = datasets.zipped(tmp_path / "a.zip", {"a/1.png": b"1"}).read_bytes()
    (tmp_path / "a.zip").write_bytes(raw + raw)
    with pytest.raises(UserError, match=r"a\.zip: .*does not cover its beginning"):
        dict(read(tmp_path / "a.zip"))


class Named(zipfile.ZipInfo):
    """A member whose name is written as these bytes, with the flag of UTF-8 or without it."""

    def __init__(self, raw: bytes, flag: int = 0, extra: bytes = b"") -> None:
        super().__init__("x")
        self.raw, self.flag, self.extra = raw, flag, extra

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.raw, self.flag


def unicode_path(raw: bytes, name: str, checksum: int | None = None) -> bytes:
    """Return Info-ZIP's extra field 0x7075."""
    value = struct.pack("<BI", 1, zlib.crc32(raw) if checksum is None else checksum) + name.encode()
    return struct.pack("<HH", 0x7075, len(value)) + value


@pytest.mark.parametrize(
    ("member", "name"),
    [
        (Named("A\u0308pfel/1.png".encode()), "A\u0308pfel/1.png"),  # macOS: UTF-8 without the flag, decomposed
        (Named("\u9752\u86d9/1.png".encode()), "\u9752\u86d9/1.png"),
        (Named("\u9752\u86d9/1.png".encode(), 0x800), "\u9752\u86d9/1.png"),
        (Named(b"\x8epfel/1.png"), "\u00c4pfel/1.png"),  # Windows and DOS: cp437, no UTF-8
        (Named(b"caf_/1.png", extra=unicode_path(b"caf_/1.png", "caf\u00e9/1.png")), "caf\u00e9/1.png"),
        (Named(b"caf_/1.png", extra=unicode_path(b"caf_/1.png", "caf\u00e9/1.png", 1)), "caf_/1.png"),  # another's
        (Named(b"data\\cat\\1.png"), "data/cat/1.png"),  # .NET, PowerShell 5
        (Named(b"..\\cat\\1.png"), "..\\cat\\1.png"),
        (Named(b"C:\\cat\\1.png"), "C:\\cat\\1.png"),
        (Named(b"\\cat\\1.png"), "\\cat\\1.png"),
    ],
)
def test_names_in_zips(tmp_path: Path, member: Named, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(member, b"x")
        archive.writestr(Named(b"empty\\emu\\"), b"")
    escapes = name.startswith(("..", "C:", "\\"))
    assert dict(read(tmp_path / "a.zip")) == {name: "its name points outside the archive" if escapes else b"x"}
    assert inventory("archive", str(tmp_path / "a.zip")).folders == ["empty/emu"]


def test_zips_of_more_than_4_gigabytes_and_written_as_streams(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("cat/1.png", "w", force_zip64=True) as member:
        member.write(b"zip64")
    assert dict(read(path)) == {"cat/1.png": b"zip64"}

    class Pipe(io.RawIOBase):
        raw = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            Pipe.raw += bytes(data)
            return len(data)

    with zipfile.ZipFile(Pipe(), "w", zipfile.ZIP_DEFLATED) as archive:  # sizes behind the data: data descriptors
        archive.writestr("cat/1.png", b"streamed" * 99)
    path.write_bytes(Pipe.raw)
    assert dict(read(path)) == {"cat/1.png": b"streamed" * 99}


def test_wrong_checksum_in_a_zip(tmp_path: Path) -> None:
    path = datasets.zipped(tmp_path / "a.zip", {"a/1.png": b"picture"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"picture", b"pictore", 1))
    assert dict(read(path)) == {"a/1.png": "its data in the archive is damaged"}
    assert zlib.crc32(b"picture") != zlib.crc32(b"pictore")


@pytest.mark.skipif(not shutil.which("zip"), reason="needs Info-ZIP's zip")
def test_a_zip_in_several_parts(tmp_path: Path) -> None:
    datasets.folder(tmp_path, {f"cat/{i}.png": os.urandom(30_000) for i in range(5)})
    subprocess.run(["zip", "-q", "-s", "64k", "-r", "a.zip", "cat"], cwd=tmp_path, check=True)
    with pytest.raises(UserError, match=r"a\.zip: the last part of a zip in several\. Join the parts"):
        dict(read(tmp_path / "a.zip"))
    with pytest.raises(
        UserError, match=r"a\.z01: one part of a zip in several, which is not read here\. Join the parts"
    ):
        dict(read(tmp_path / "a.z01"))
