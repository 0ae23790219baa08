"""Archives of every kind, cut off: what a user is told of each cut."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import zstandard

from components.errors import UserError
from components.example_gen import sources
from components.example_gen.formats.base import ClassNames
from components.example_gen.formats.detect import inventory
from tests.example_gen import datasets


def _members(count: int) -> dict[str, bytes]:
    """Names short and long, sizes around the block of a tar, and at the end a zip, which is not to be taken for all."""
    rng = np.random.default_rng(7)
    content = {}
    for i in range(count):
        size = (0, 1, 511, 512, 513, 1100)[i % 6]
        content[f"pets/{'cat' if i % 2 else 'd' * 120}/{i}.jpg"] = rng.bytes(size)
    return {**content, "pets/cat/inner.zip": datasets.zip_bytes({"cat/inner.jpg": b"inner"})}


def _tar(count: int, form: int = tarfile.GNU_FORMAT) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form) as archive:
        for name, content in _members(count).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("pets/cat/link.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "pets/cat/1.jpg"
        archive.addfile(link)
    return raw.getvalue()


def _zip(count: int, compression: int) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", compression) as archive:
        for name, content in _members(count).items():
            archive.writestr(name, content)
    return raw.getvalue()


def _in_two(compress: Callable[[bytes], bytes], raw: bytes) -> bytes:
    """As pigz, pbzip2 and xz with threads write: one compressed stream behind the other, here parted at a member."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        members = archive.getmembers()
    middle = members[len(members) // 2].offset
    return compress(raw[:middle]) + compress(raw[middle:])


def _zstd(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(raw)


def _cifar(write: Callable[..., Path], mode: str, folder: Path, count: int) -> bytes:
    batches = {"data_batch_1": datasets.cifar_rows(1, count), "test_batch": datasets.cifar_rows(2, 1)}
    return write(folder / "cifar", batches, mode).read_bytes()


def archives(folder: Path, count: int) -> dict[str, bytes]:
    """A whole archive of each kind, of about `count` members, by the name of its file."""
    gnu = _tar(count)
    return {
        "gnu.tar": gnu,
        "pax.tar": _tar(count, tarfile.PAX_FORMAT),
        "a.tar.gz": gzip.compress(gnu),
        "a.tar.bz2": bz2.compress(gnu),
        "a.tar.xz": lzma.compress(gnu),
        "a.tar.zst": _zstd(gnu),
        "two.tar.gz": _in_two(gzip.compress, gnu),
        "two.tar.bz2": _in_two(bz2.compress, gnu),
        "two.tar.xz": _in_two(lzma.compress, gnu),
        "two.tar.zst": _in_two(_zstd, gnu),
        "stored.zip": _zip(count, zipfile.ZIP_STORED),
        "deflated.zip": _zip(count, zipfile.ZIP_DEFLATED),
        "cifar-binary.tar": _cifar(datasets.cifar_binary, "w", folder, count // 4),
        "cifar-binary.tar.gz": _cifar(datasets.cifar_binary, "w:gz", folder, count // 4),
        "cifar-python.tar.gz": _cifar(datasets.cifar_python, "w:gz", folder, count // 4),
    }


def read(path: Path) -> Counter[tuple[str, object]]:
    """What a run finds in the archive: from where, and its bytes or why there are none."""
    source = sources.locate(str(path), "/nonexistent")
    contents: Counter[tuple[str, object]] = Counter()
    for unit in inventory(source.format, source.path).units:
        for record in unit.read(10**6):
            if isinstance(record, ClassNames):
                contents["names", tuple(record.names)] += 1
            else:
                content = record.content
                contents[record.source, content.tobytes() if isinstance(content, np.ndarray) else str(content)] += 1
    return contents


def end_of_members(name: str, raw: bytes) -> int:
    """From how many bytes on an archive is whole: a plain tar with the first block of the mark of its end."""
    if not name.endswith(".tar"):
        return len(raw)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        last = archive.getmembers()[-1]
    return last.offset_data + (0 if last.islnk() else -(-last.size // 512) * 512) + 512


def try_cuts(path: Path, raw: bytes, cuts: Iterable[int]) -> int:
    """How many cuts were tried; each is named in one line, or lost nothing but the padding behind the end.

    Raises:
      AssertionError: something was lost in silence, or a sound archive was refused.
    """
    path.write_bytes(raw)
    whole, end = read(path), end_of_members(path.name, raw)
    tried = 0
    for cut in cuts:
        path.write_bytes(raw[:cut])
        tried += 1
        try:
            contents = read(path)
        except UserError as error:
            message = str(error)
            assert path.name in message
            assert "\n" not in message
            assert cut < end, f"{path.name} is whole at {cut} bytes, yet refused: {message}"
        else:
            assert cut >= end, f"{path.name} cut at {cut} of {len(raw)} bytes is read as if it were whole"
            assert contents == whole
    return tried
