"""File types by their first bytes, whatever the name: tar, compressed or not, zip, or advice for any other archive."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, Literal

from components import files
from components.errors import UserError

ArchiveType = Literal["tar", "packed tar", "zip"]

ENDINGS = re.compile(
    r"\.(tar(\.(gz|bz2|xz|lzma|zst|lz4?|z))?|t(gz|bz2?|xz|zst|lz4?)|(zip|7z|rar)(\.\d+)?|z\d\d)$", re.IGNORECASE
)

_GZIP, _BZIP2, _XZ, _LZMA, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x5d\0\0", b"\x28\xb5\x2f\xfd"
_COMPRESSED = {_GZIP: "gzip", _BZIP2: "bzip2", _XZ: "xz", _LZMA: "lzma", _ZSTD: "zstd"}

# What is not read here: its first bytes, what it is, and the way on.
_UNREAD = {
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "Unpack it (7z x FILE) and give the folder."),
    b"Rar!\x1a\x07": ("a RAR archive", "Unpack it (unrar x FILE) and give the folder."),
    b"\x04\x22\x4d\x18": ("compressed by lz4", "Decompress it (lz4 -d FILE) and give what comes out."),
    b"LZIP": ("compressed by lzip", "Decompress it (lzip -d FILE) and give what comes out."),
    b"\x1f\x9d": ("compressed by compress", "Decompress it (uncompress FILE) and give what comes out."),
    b"MSCF": ("a cabinet file", "Unpack it (cabextract FILE) and give the folder."),
    b"070701": ("a cpio archive", "Unpack it (cpio -id < FILE) and give the folder."),
    b"PK\x03\x04": (
        "a zip without the directory at its end: cut off, or one part of several",
        "Download it again, or join the parts (zip -s 0 FILE --out whole.zip).",
    ),
    b"PK\x07\x08": ("one part of a zip in several", "Join the parts (zip -s 0 FILE.zip --out whole.zip)."),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", "Write its images into a folder for each class."),
    b"\x93NUMPY": ("a NumPy array", "Write its images into a folder for each class."),
}

# What Python's readers raise for damaged archives, beside their own errors, which are ValueErrors in part.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,
)


@contextlib.contextmanager
def damage_named(path: str) -> Iterator[None]:
    """Convert the errors of a damaged archive into a UserError that names it."""
    try:
        yield
    except _DAMAGE as error:
        raise UserError(
            f"{files.text(path)}: the archive is damaged or ends early ({error}). Make or download it again."
        ) from error


def archive_type(path: str) -> ArchiveType | None:
    """Return the type of an archive; None for an unsupported one and for any other file.

    The beginning decides: a tar that ends with a zip is a tar.
    """
    with files.open_binary(path) as file:
        if is_tar_header(file.read(tarfile.BLOCKSIZE)):
            return "tar"
        file.seek(0)
        with contextlib.suppress(*_DAMAGE), decompressed(file) as stream:
            if stream is not file and is_tar_header(stream.read(tarfile.BLOCKSIZE)):
                return "packed tar"
        file.seek(0)
        return "zip" if zipfile.is_zipfile(file) else None


def refusal(path: str) -> UserError | None:
    """Return the error for a recognised file that is not read here, with advice; None if it is not recognised."""
    title = files.text(path)
    with files.open_binary(path) as file:
        head = file.read(16)
        compression = next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)
        complete = False
        if compression:
            file.seek(0)
            with contextlib.suppress(*_DAMAGE), decompressed(file) as stream:
                complete = bool(stream.read(1))
    for magic, (kind, way_on) in _UNREAD.items():
        if head.startswith(magic):
            return UserError(f"{title}: {kind}, which is not read here. {way_on}")
    if complete and (compression != "lzma" or ENDINGS.search(path)):
        return UserError(
            f"{title}: compressed by {compression}, but not a tar: one file, or a tar that is damaged at its "
            "beginning. Give a folder of images, or a .tar, .tar.gz or .zip of one."
        )
    if compression in ("gzip", "bzip2", "xz", "zstd") or ENDINGS.search(path):
        return UserError(f"{title}: damaged, or not the type of archive that its name says. Make or download it again.")
    return None


def is_tar_header(block: bytes) -> bool:
    """Return True if a tar can begin with this block; an empty tar begins with zeros."""
    if len(block) == tarfile.BLOCKSIZE and not block.strip(b"\0"):
        return True
    try:
        tarfile.TarInfo.frombuf(block, tarfile.ENCODING, "surrogateescape")
    except tarfile.TarError:
        return False
    return True


@contextlib.contextmanager
def decompressed(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Open the decompressed content of a file for sequential reading; the file itself if it is not compressed."""
    head = file.read(8)
    file.seek(0)
    openers = {_GZIP: gzip.open, _BZIP2: bz2.open, _XZ: lzma.open, _LZMA: lzma.open, _ZSTD: _open_zstd}
    opener: Any = next((opener for magic, opener in openers.items() if head.startswith(magic)), None)
    if opener is None:
        yield file
    else:
        with opener(file) as stream:
            yield stream


def _open_zstd(file: IO[bytes]) -> io.BufferedReader:
    return io.BufferedReader(_ZstdReader(file))


class _ZstdReader(io.RawIOBase):
    """A sequential reader of the frames of a zstd file.

    Unlike zstandard's own reader it raises where the file ends within a frame, and only what other readers raise.
    """

    def __init__(self, file: IO[bytes]) -> None:
        import zstandard

        self._file, self._library = file, zstandard
        self._frame: Any = None
        self._ready = self._rest = b""
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            position += self._position
        if whence == io.SEEK_END or position < self._position:
            raise OSError("a zstd stream is read forward")
        while self._position < position and self.read(min(1 << 17, position - self._position)):
            pass
        return self._position

    def readinto(self, buffer: Any) -> int:
        while not self._ready and self._decompress():
            pass
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        self._position += count
        return count

    def _decompress(self) -> bool:
        """Decompress more; return whether there was any."""
        raw = self._rest or self._file.read(1 << 16)
        if not raw and self._frame is None:
            return False
        if not raw:
            raise EOFError("it ends within a frame of zstd")
        self._frame = self._frame or self._library.ZstdDecompressor().decompressobj()
        try:
            self._ready = self._frame.decompress(raw)
        except self._library.ZstdError as error:
            raise OSError(str(error)) from error
        self._rest = b""
        if self._frame.eof:
            self._frame, self._rest = None, self._frame.unused_data
        return True
