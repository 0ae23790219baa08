"""Archives: the same members from every kind, hygiene, and damage that is named."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.errors import UserError
from components.example_gen.archives import zips
from components.example_gen.formats.base import Record
from components.example_gen.formats.detect import inventory
from components.example_gen.rejected import Rejected
from tests.example_gen import datasets

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
    """Yield (name, bytes or the reason for none) of everything in the archive, by the units that the executor reads."""
    for unit in inventory("archive", str(path)).units:
        for record in unit.read(limit):
            if isinstance(record, Record):
                content = record.content
                yield record.source, content.reason if isinstance(content, Rejected) else bytes(content)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(tmp_path: Path, mode: str) -> None:
    assert dict(read(datasets.tar(tmp_path / "a", CONTENT, mode))) == SEEN
    dotted = {f"./{name}": raw for name, raw in CONTENT.items()}
    assert dict(read(datasets.tar(tmp_path / "b", {"./": None, **dotted}, mode))) == SEEN


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip(tmp_path: Path, compression: int) -> None:
    path = datasets.zipped(tmp_path / "a.zip", CONTENT, compression)
    assert dict(read(path)) == SEEN
    assert "pets/emu" in zips.contents(str(path)).folders
    with_prefix = tmp_path / "b.zip"  # as a self-extracting archive is led by a program
    with_prefix.write_bytes(b"#!/bin/sh\n" * 9 + path.read_bytes())
    assert dict(read(with_prefix)) == SEEN


ESCAPES = ["/etc/passwd", "../out.png", "pets/../../out.png", "C:\\pets\\1.png", "..\\out.png"]


@pytest.mark.parametrize("name", ESCAPES)
def test_members_that_escape(tmp_path: Path, name: str) -> None:
    content = {"pets/cat/1.png": b"1", name: b"2"}
    for path in (
        datasets.tar(tmp_path / "a.tar", content),
        datasets.tar(tmp_path / "a.tgz", content, "w:gz"),
        datasets.zipped(tmp_path / "a.zip", content),
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
    reasons = {tarfile.SYMTYPE: "a link, which could point outside", tarfile.LNKTYPE: "a hard link to what the archive"}
    assert str(reason).startswith(reasons.get(kind, "a device or another special file"))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_hard_links_are_other_names_of_members_before_them(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a"
    with tarfile.open(path, mode) as archive:

        def add(name: str, raw: bytes | None = None, target: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.size = len(raw or b"")
            if raw is None:
                info.type, info.linkname = tarfile.LNKTYPE, target
            archive.addfile(info, io.BytesIO(raw or b""))

        add("./cat/.first.png", b"hidden")
        add("./cat/1.png", target="./cat/.first.png")
        add("./cat/2.png", target="cat/1.png")
        add("./dog/3.png", b"three")
        add("./dog/3.png", target="./dog/3.png")  # as `tar -c dog dog` writes it
        add("./dog/4.png", target="dog/5.png")
        add("./dog/5.png", b"five")
        add("./dog/6.png", target="../dog/3.png")
        add("../7.png", target="dog/3.png")
    missing = "a hard link to what the archive does not hold before it"
    assert list(read(path)) == list(dict(read(path)).items())  # each once
    assert dict(read(path)) == {
        "cat/1.png": b"hidden",
        "cat/2.png": b"hidden",
        "dog/3.png": b"three",
        "dog/4.png": missing,
        "dog/5.png": b"five",
        "dog/6.png": missing,
        "../7.png": "its name points outside the archive",
    }


@pytest.mark.parametrize("kind", ["w", "w:gz", "zip"])
def test_of_members_of_one_name_the_last_counts(tmp_path: Path, kind: str) -> None:
    names = ["cat/1.png", "cat/2.png", "./cat//1.png", "cat/1.png"]
    path = tmp_path / "a"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for i, name in enumerate(names):
                zipped.writestr(name, b"%d" % i)
    else:
        with tarfile.open(path, kind) as archive:
            for i, name in enumerate(names):
                info = tarfile.TarInfo(name)
                info.size = 1
                archive.addfile(info, io.BytesIO(b"%d" % i))
    replaced = ("cat/1.png", "a later member of the archive has the same name")
    assert Counter(read(path)) == Counter({("cat/1.png", b"3"): 1, ("cat/2.png", b"1"): 1, replaced: 2})


def gnu_tar() -> bool:
    tar = shutil.which("tar")
    return tar is not None and "GNU" in subprocess.run([tar, "--version"], capture_output=True, text=True).stdout


@pytest.mark.skipif(not gnu_tar(), reason="needs GNU tar")
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_sparse_members_are_refused(tmp_path: Path, mode: str) -> None:
    (tmp_path / "cat").mkdir()
    with open(tmp_path / "cat" / "1.png", "wb") as file:
        file.truncate(1 << 20)
        file.seek(1 << 19)
        file.write(b"data")
    for form in ("gnu", "pax"):
        path = tmp_path / f"{form}.tar{'.gz' if mode == 'w:gz' else ''}"
        pack = ["tar", "--sparse", f"--format={form}", "-caf", str(path), "-C", str(tmp_path), "cat/1.png"]
        subprocess.run(pack, check=True)
        assert dict(read(path)) == {"cat/1.png": "stored with gaps (tar --sparse), which is not read here"}


def test_caps_without_reading_further(tmp_path: Path) -> None:
    content = {"a/1.png": b"\0" * 5_000_000, "b/2.png": b"small"}
    for path in (
        datasets.tar(tmp_path / "a.tar", content),
        datasets.tar(tmp_path / "a.tgz", content, "w:gz"),
        datasets.zipped(tmp_path / "a.zip", content, zipfile.ZIP_STORED),
    ):
        assert dict(read(path, 1000)) == {
            "a/1.png": "over the limit of 1,000 bytes (data.max_bytes)",
            "b/2.png": b"small",
        }
    bomb = datasets.zipped(tmp_path / "bomb.zip", content)  # 5 MB in 5 KB: inflated no further than the cap
    assert len(dict(read(bomb, 10_000))["a/1.png"]) == 10_001


@pytest.mark.slow
def test_a_large_archive_is_mixed_and_complete(tmp_path: Path) -> None:
    content = {f"{name}/{i}.png": b"%d" % i for name in ("a", "b") for i in range(5000)}
    path = datasets.tar(tmp_path / "a.tar", content)
    assert dict(read(path)) == content
    units = inventory("archive", str(path)).units
    assert len(units) == 2
    for unit in units:
        classes = [record.source[0] for record in unit.read(10) if isinstance(record, Record)]
        assert 0.4 < classes[:500].count("a") / 500 < 0.6


def outcome(path: Path) -> dict[str, bytes | str] | str:
    try:
        return dict(read(path))
    except UserError as error:
        return "damaged" if path.name in str(error) else "nothing"


def test_members_behind_the_end_are_named(tmp_path: Path) -> None:
    """Two tars joined, or a gap of zeros in one: every reader of tars stops at the first block of zeros."""
    first = datasets.tar(tmp_path / "a.tar", {"a/1.png": b"1"}).read_bytes()
    joined = tmp_path / "joined.tar"
    for raw in (first + first, gzip.compress(first + first), gzip.compress(first) + gzip.compress(first)):
        joined.write_bytes(raw)
        with pytest.raises(UserError, match=r"joined\.tar: .*there are members after its end marker") as caught:
            dict(read(joined))
        assert "\n" not in str(caught.value)
    joined.write_bytes(first + b"signature" * 999)  # anything else there is passed over, as by tar
    assert dict(read(joined)) == {"a/1.png": b"1"}
    end = len(first.rstrip(b"\0"))
    joined.write_bytes(first[: -(-end // 512) * 512 + 512])  # a lone block of zeros is an end too, as for tar
    assert dict(read(joined)) == {"a/1.png": b"1"}


INNER = datasets.zip_bytes({"cat/1.png": b"1"})


@pytest.mark.parametrize("write", [datasets.tar, datasets.zipped])
def test_archives_within_an_archive(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path / "outer", {"train.zip": INNER, "README.md": b"x"})
    with pytest.raises(UserError, match=r"no images in it but archives \(train\.zip\).* give the archive in it\.$"):
        dict(read(path))
    path = write(tmp_path / "outer", {"train.zip": INNER, "test.tar.gz": b"x"})
    with pytest.raises(
        UserError, match=r"archives \(train\.zip, test\.tar\.gz\).* give the folder: each archive in it is read"
    ):
        dict(read(path))
    path = write(tmp_path / "outer", {"cat/1.png": b"1", "cat/more.zip": INNER})
    nested = "an archive within the archive, which is not read: unpack it"
    assert dict(read(path)) == {"cat/1.png": b"1", "cat/more.zip": nested}


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path: Path) -> None:
    content = {"cat/1.png": b"1", "cat/2.png": INNER}
    assert dict(read(datasets.tar(tmp_path / "a", content))) == content


def test_tar_zst(tmp_path: Path) -> None:
    raw = datasets.tar(tmp_path / "a", CONTENT).read_bytes()
    compress = zstandard.ZstdCompressor().compress
    for packed in (compress(raw), compress(raw[:700]) + compress(raw[700:])):
        (tmp_path / "a.tar.zst").write_bytes(packed)
        assert dict(read(tmp_path / "a.tar.zst")) == SEEN
    (tmp_path / "a.tar.zst").write_bytes(packed + b"garbage")
    with pytest.raises(UserError, match=r"a\.tar\.zst: the archive is damaged"):
        dict(read(tmp_path / "a.tar.zst"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["w", "w:gz", "zip"]),
    flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=3),
)
def test_damage_is_named(tmp_path: Path, kind: str, flips: list[tuple[int, int]]) -> None:
    path = tmp_path / "a"
    raw = bytearray((datasets.zipped(path, SEEN) if kind == "zip" else datasets.tar(path, SEEN, kind)).read_bytes())
    for position, mask in flips:
        raw[position % len(raw)] ^= mask
    path.write_bytes(raw)
    result = outcome(path)
    if kind != "w" and isinstance(result, dict):  # a plain tar has no checksums of its data
        for name, content in result.items():
            assert isinstance(content, str) or content in SEEN.values() or name not in SEEN


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    info = tarfile.TarInfo("caf\udce9/1.png")
    info.size = 1
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"x"))
    assert dict(read(tmp_path / "a.tar")) == {"caf\\xe9/1.png": b"x"}
