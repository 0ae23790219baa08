"""Archives of pictures, read without unpacking them: tar, compressed or not, as a stream or by position; zip.

Nothing is ever written under a member's name. Members that point outside the archive, links and devices are named
as problems; litter of operating systems is passed over.
"""

from __future__ import annotations

import contextlib
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

from components import files
from components.errors import UserError
from components.example_gen.pictures import Rejected


class Member(NamedTuple):
    """A file of an archive, by what is needed to read it without going through the others."""

    name: str
    offset: int  # of the data in a tar, of the local header in a zip
    size: int  # as stored
    deflated: bool = False
    crc: int | None = None  # of the data; None in a tar
    problem: str | None = None  # why it is no picture


class Contents(NamedTuple):
    members: list[Member]
    folders: list[str]


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
    """Turns what reading a damaged archive raises into a UserError that names it."""
    try:
        yield
    except _DAMAGE as error:
        raise UserError(
            f"{files.text(path)}: the archive is damaged or ends early ({error}). Make or download it anew."
        ) from error


class _StrictTarInfo(tarfile.TarInfo):
    """For tarfile a header that is damaged or cut off, unless it is the first, is the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _StrictTarInfo:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if not buf or not bytes(buf).strip(b"\0"):
                raise
            raise tarfile.ReadError(str(error)) from error


@contextlib.contextmanager
def open_tar(path: str) -> Iterator[tarfile.TarFile]:
    """Opens a tar for reading from front to back, compressed in any way that Python's tarfile knows."""
    with (
        files.open_binary(path) as file,
        tarfile.open(fileobj=file, mode="r:*", tarinfo=_StrictTarInfo) as tar,
    ):
        yield tar


def is_zip(path: str) -> bool:
    with files.open_binary(path) as file:
        return zipfile.is_zipfile(file)


def is_compressed(path: str) -> bool:
    """Whether the bytes of the tar's members lie elsewhere than its headers say: no plain header at its front."""
    with files.open_binary(path) as file:
        try:
            tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), tarfile.ENCODING, "surrogateescape")
        except tarfile.TarError:
            return True
    return False


def tar_contents(path: str) -> Contents:
    """The members of a plain tar, from its headers alone.

    Raises:
      UserError: the archive is damaged.
    """
    members, folders = [], []
    with damage_named(path), open_tar(path) as tar:
        for info in infos(tar):
            if info.isdir():
                folders.append(_name(info.name))
            else:
                members.append(Member(_name(info.name), info.offset_data, info.size, problem=_tar_problem(info)))
    return Contents(members, folders)


def stream_tar(path: str, limit: int) -> Iterator[tuple[str, bytes | Rejected | None]]:
    """(name, its bytes) of each member in the archive's order, from front to back; None for a folder.

    Raises:
      UserError: the archive is damaged.
    """
    with damage_named(path), open_tar(path) as tar:
        for info in infos(tar):
            problem = _tar_problem(info)
            if info.isdir():
                yield _name(info.name), None
            elif problem or not 0 <= info.size <= limit:
                yield _name(info.name), Rejected(problem or f"over the limit of {limit:,} bytes")
            else:
                content = tar.extractfile(info)
                assert content is not None  # it is a file
                yield _name(info.name), content.read()


def infos(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Every member but litter; the memory that tarfile keeps of them all is let go."""
    for info in tar:
        tar.members.clear()  # type: ignore[attr-defined,unused-ignore]
        if not files.is_litter(info.name):
            yield info
    while tar.fileobj and tar.fileobj.read(1 << 20):  # to the very end, where the checksum of a compressed tar lies
        pass


def _name(name: str) -> str:
    return name.removeprefix("./").rstrip("/")


def _tar_problem(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return "a link, which could point outside the archive"
    if not info.isfile():
        return "a device or another special file"
    return escape_problem(info.name)


def escape_problem(name: str) -> str | None:
    """Why a member's name is refused: unpacked, it would lie outside the archive's folder."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":"):
        return "its name points outside the archive"
    return None


def zip_contents(path: str) -> Contents:
    """The members of a zip, from its directory alone.

    Raises:
      UserError: the archive is damaged.
    """
    members, folders = [], []
    with damage_named(path), files.open_binary(path) as file, zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if files.is_litter(info.filename):
                continue
            if info.is_dir():
                folders.append(_name(info.filename))
                continue
            deflated = info.compress_type == zipfile.ZIP_DEFLATED
            where = (_name(info.filename), info.header_offset, info.compress_size)
            members.append(Member(*where, deflated, info.CRC, _zip_problem(info)))
    return Contents(members, folders)


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & 0x1:
        return "encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"compressed by a method other than deflate ({info.compress_type})"
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        return "a link, which could point outside the archive"
    return escape_problem(info.filename)


def read_members(path: str, members: list[Member], limit: int) -> Iterator[tuple[Member, bytes | Rejected]]:
    """The bytes of each member, at most limit + 1 of them, by position."""
    with files.open_binary(path) as file:
        for member in members:
            try:
                if member.problem:
                    raise Rejected(member.problem)
                if not 0 <= member.size <= limit:
                    raise Rejected(f"over the limit of {limit:,} bytes")
                file.seek(member.offset)
                if member.crc is None:
                    raw = file.read(member.size)
                    if len(raw) != member.size:
                        raise Rejected("the archive ends within it")
                else:
                    raw = _zipped(file, member, limit)
                yield member, raw
            except Rejected as rejected:
                yield member, rejected
            except (OSError, ValueError):  # a place that cannot be
                yield member, Rejected("its place in the archive is damaged")


def _zipped(file: IO[bytes], member: Member, limit: int) -> bytes:
    """The data behind the local header here. ZipFile would read its whole directory again for each worker."""
    header = file.read(30)
    if len(header) != 30 or header[:4] != b"PK\x03\x04":
        raise Rejected("its header in the archive is damaged")
    name_length, extra_length = struct.unpack_from("<HH", header, 26)
    file.read(name_length + extra_length)
    raw = file.read(member.size)
    if member.deflated:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            raw = inflate.decompress(raw, limit + 1)
        except zlib.error:
            raise Rejected("its data in the archive is damaged") from None
    if len(raw) <= limit and zlib.crc32(raw) != member.crc:
        raise Rejected("its data in the archive is damaged")
    return raw
