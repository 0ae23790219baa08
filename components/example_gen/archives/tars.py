"""Tars: their members by position, in the file or in what it decompresses to.

A tar without its end marker is refused: it was truncated between two members, which Python and GNU tar ignore.
"""

from __future__ import annotations

import contextlib
import tarfile
from collections.abc import Iterator
from typing import IO, cast

from components import files
from components.example_gen.archives import file_types
from components.example_gen.archives.members import Catalogue, Contents, Member, tidy

_BLOCK = 1 << 20


class _StrictTarInfo(tarfile.TarInfo):
    """Raises on a missing, damaged or truncated header; tarfile takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _StrictTarInfo:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined,unused-ignore]  # a block of zeros: the mark of the end
            raise
        except tarfile.EmptyHeaderError as error:  # type: ignore[attr-defined,unused-ignore]
            raise tarfile.ReadError("its end marker is missing, so it was cut off") from error
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


@contextlib.contextmanager
def open_tar(path: str) -> Iterator[tarfile.TarFile]:
    """Open a tar for reading from front to back, compressed or not."""
    with (
        files.open_binary(path) as file,
        file_types.decompressed(file) as stream,
        tarfile.open(fileobj=stream, mode="r:", tarinfo=_StrictTarInfo) as tar,
    ):
        yield tar


def infos(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield every member up to the end, without keeping all of them in memory as tarfile does.

    Raises:
      tarfile.ReadError: it is cut off, damaged, or there are members after its end marker.
    """
    for info in tar:
        tar.members.clear()  # type: ignore[attr-defined,unused-ignore]
        yield info
    if tar.fileobj:
        _read_to_end(cast(IO[bytes], tar.fileobj))


def _read_to_end(stream: IO[bytes]) -> None:
    """Read past the end marker, up to the checksum of a compressed tar."""
    while block := stream.read(_BLOCK):
        if not block.strip(b"\0"):
            continue
        for start in range(0, len(block), tarfile.BLOCKSIZE):
            header = block[start : start + tarfile.BLOCKSIZE]
            if header[257:262] == b"ustar" and file_types.is_tar_header(header):
                raise tarfile.ReadError("there are members after its end marker: two tars joined, or a gap of zeros")


def contents(path: str) -> Contents:
    """List the members of a tar, from its headers.

    Raises:
      UserError: the archive is damaged or cut off.
    """
    catalogue = Catalogue()
    with file_types.damage_named(path), open_tar(path) as tar:
        for info in infos(tar):
            name = tidy(info.name)
            if info.isdir():
                catalogue.folders.append(name)
            elif info.islnk():
                catalogue.add(_linked(name, catalogue.by_name.get(tidy(info.linkname))))
            else:
                catalogue.add(Member(name, info.offset_data, info.size, problem=_problem(info)))
    return catalogue.contents()


def _linked(name: str, target: Member | None) -> Member:
    """Return a hard link as another name of a member before it."""
    if target is None:
        return Member(name, 0, 0, problem="a hard link to what the archive does not hold before it")
    return target._replace(name=name)


def _problem(info: tarfile.TarInfo) -> str | None:
    if info.issym():
        return "a link, which could point outside the archive"
    if not info.isfile():
        return "a device or another special file"
    if info.issparse():
        return "stored with gaps (tar --sparse), which is not read here"
    return None
