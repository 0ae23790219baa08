"""Archives: the same members from every kind, hygiene, and damage that is named."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.errors import UserError
from components.example_gen import archives, readers
from components.example_gen.pictures import Rejected
from tests.example_gen import sets

CONTENT: dict[str, bytes | None] = {
    "pets/cat/1.png": b"one" * 400,
    "pets/cat/.DS_Store": b"x",
    "__MACOSX/pets/cat/._1.png": b"x",
    "pets/dog/Thumbs.db": b"x",
    "pets/dog/2.png": os.urandom(3000),
    "pets/emu": None,
    "pets/\u732b <b>&\n/3.png": b"three",
}
SEEN = {name: raw for name, raw in CONTENT.items() if raw not in (b"x", None)}


def read(path: Path, limit: int = 10**6) -> Iterator[tuple[str, bytes | str]]:
    """(name, bytes or the reason for none) of everything in the archive, by the units that the executor reads."""
    inventory = readers.inventory("archive", str(path))
    for unit in inventory.units:
        for found in unit.read(limit):
            if isinstance(found, readers.Found):
                content = found.content
                yield found.source, content.reason if isinstance(content, Rejected) else bytes(content)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(tmp_path: Path, mode: str) -> None:
    assert dict(read(sets.tar(tmp_path / "a", CONTENT, mode))) == SEEN
    dotted = {f"./{name}": raw for name, raw in CONTENT.items()}
    assert dict(read(sets.tar(tmp_path / "b", {"./": None, **dotted}, mode))) == SEEN


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip(tmp_path: Path, compression: int) -> None:
    path = sets.zipped(tmp_path / "a.zip", CONTENT, compression)
    assert dict(read(path)) == SEEN
    assert "pets/emu" in archives.zip_contents(str(path)).folders
    with_prefix = tmp_path / "b.zip"  # as a self-extracting archive is led by a program
    with_prefix.write_bytes(b"#!/bin/sh\n" * 9 + path.read_bytes())
    assert dict(read(with_prefix)) == SEEN


ESCAPES = ["/etc/passwd", "../out.png", "pets/../../out.png", "C:\\pets\\1.png", "..\\out.png"]


@pytest.mark.parametrize("name", ESCAPES)
def test_members_that_escape(tmp_path: Path, name: str) -> None:
    content = {"pets/cat/1.png": b"1", name: b"2"}
    for path in (
        sets.tar(tmp_path / "a.tar", content),
        sets.tar(tmp_path / "a.tgz", content, "w:gz"),
        sets.zipped(tmp_path / "a.zip", content),
    ):
        assert dict(read(path))[name] == "its name points outside the archive"


def special(kind: bytes, mode: str, path: Path) -> Path:
    with tarfile.open(path, mode) as archive:
        info = tarfile.TarInfo("pets/cat/1.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices(tmp_path: Path, mode: str, kind: bytes) -> None:
    (reason,) = dict(read(special(kind, mode, tmp_path / "a"))).values()
    link = kind in (tarfile.SYMTYPE, tarfile.LNKTYPE)
    assert reason == ("a link, which could point outside the archive" if link else "a device or another special file")


def test_what_zips_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("pets/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("pets/lzma.png", b"x" * 100, zipfile.ZIP_LZMA)
    assert dict(read(path)) == {
        "pets/link.png": "a link, which could point outside the archive",
        "pets/lzma.png": "compressed by a method other than deflate (14)",
    }
    raw = bytearray(sets.zipped(path, {"a/secret.png": b"x" * 100}).read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # as if encrypted
    path.write_bytes(raw)
    assert dict(read(path)) == {"a/secret.png": "encrypted"}


def test_caps_without_reading_further(tmp_path: Path) -> None:
    content = {"a/1.png": b"\0" * 5_000_000, "b/2.png": b"small"}
    for path in (
        sets.tar(tmp_path / "a.tar", content),
        sets.tar(tmp_path / "a.tgz", content, "w:gz"),
        sets.zipped(tmp_path / "a.zip", content, zipfile.ZIP_STORED),
    ):
        assert dict(read(path, 1000)) == {"a/1.png": "over the limit of 1,000 bytes", "b/2.png": b"small"}
    bomb = sets.zipped(tmp_path / "bomb.zip", content)  # 5 MB in 5 KB: inflated no further than the cap
    assert len(dict(read(bomb, 10_000))["a/1.png"]) == 10_001


def test_a_large_archive_is_mixed_and_complete(tmp_path: Path) -> None:
    content = {f"{name}/{i}.png": b"%d" % i for name in ("a", "b") for i in range(5000)}
    path = sets.tar(tmp_path / "a.tar", content)
    assert dict(read(path)) == content
    units = readers.inventory("archive", str(path)).units
    assert len(units) == 2
    for unit in units:
        classes = [found.source[0] for found in unit.read(10) if isinstance(found, readers.Found)]
        assert 0.4 < classes[:500].count("a") / 500 < 0.6


def outcome(path: Path) -> dict[str, bytes | str] | str:
    try:
        return dict(read(path))
    except UserError as error:
        return "damaged" if path.name in str(error) else "nothing"


def test_cut_short(tmp_path: Path) -> None:
    for write, mode in ((sets.tar, "w"), (sets.tar, "w:gz"), (sets.tar, "w:xz"), (sets.zipped, zipfile.ZIP_STORED)):
        whole = write(tmp_path / "a", SEEN, mode).read_bytes()
        data_end = len(whole.rstrip(b"\0")) if mode == "w" else len(whole) - 1
        for end in range(1, data_end, 97):
            (tmp_path / "a").write_bytes(whole[:end])
            found = outcome(tmp_path / "a")
            if end % tarfile.BLOCKSIZE:  # a plain tar that ends between two members cannot be told from a whole one
                assert found == "damaged" or "the archive ends within it" in found.values()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["w", "w:gz", "zip"]),
    flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=3),
)
def test_damage_is_named(tmp_path: Path, kind: str, flips: list[tuple[int, int]]) -> None:
    path = tmp_path / "a"
    raw = bytearray((sets.zipped(path, SEEN) if kind == "zip" else sets.tar(path, SEEN, kind)).read_bytes())
    for position, mask in flips:
        raw[position % len(raw)] ^= mask
    path.write_bytes(raw)
    found = outcome(path)
    if kind != "w" and isinstance(found, dict):  # a plain tar has no checksums of its data
        for name, content in found.items():
            assert isinstance(content, str) or content in SEEN.values() or name not in SEEN


def test_wrong_checksum_in_a_zip(tmp_path: Path) -> None:
    path = sets.zipped(tmp_path / "a.zip", {"a/1.png": b"picture"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"picture", b"pictore", 1))
    assert dict(read(path)) == {"a/1.png": "its data in the archive is damaged"}
    assert zlib.crc32(b"picture") != zlib.crc32(b"pictore")


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    info = tarfile.TarInfo("caf\udce9/1.png")
    info.size = 1
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"x"))
    assert dict(read(tmp_path / "a.tar")) == {"caf\\xe9/1.png": b"x"}
