"""Zips: their members from the directory at the end, names as the writer meant them, and the data of one member."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import IO

from components import files
from components.errors import UserError
from components.example_gen.archives import file_types
from components.example_gen.archives.members import Catalogue, Contents, Member, escape_problem, tidy
from components.example_gen.rejected import Rejected

_UTF8 = 0x800  # of the flags: the name is UTF-8
_UNICODE_PATH = 0x7075  # Info-ZIP's extra field: the name in UTF-8 beside one in an older encoding
_METHODS = {9: "deflate64", 12: "bzip2", 14: "lzma", 20: "zstd", 93: "zstd", 95: "xz", 98: "PPMd", 99: "AES"}
_DIRECTORY_END = b"PK\x05\x06"


def contents(path: str) -> Contents:
    """List the members of a zip, from its directory alone.

    Raises:
      UserError: the archive is damaged, cut off or a part of one.
    """
    catalogue = Catalogue()
    with file_types.damage_named(path), files.open_binary(path) as file:
        _check_not_a_part(path, file)
        with zipfile.ZipFile(file) as archive:
            directory = archive.infolist()
            file.seek(0)
            if file.read(4) == b"PK\x03\x04" and all(info.header_offset for info in directory):
                raise zipfile.BadZipFile("its directory does not cover its beginning: truncated, or two zips joined")
            for info in directory:
                name = _name(info)
                if name.endswith("/"):
                    catalogue.folders.append(tidy(name))
                else:
                    deflated = info.compress_type == zipfile.ZIP_DEFLATED
                    where = (info.header_offset, info.compress_size, deflated, info.CRC)
                    catalogue.add(Member(tidy(name), *where, _problem(info)))
    return catalogue.contents()


def _check_not_a_part(path: str, file: IO[bytes]) -> None:
    file.seek(0, 2)
    file.seek(-min(file.tell(), (1 << 16) + 22), 2)
    tail = file.read()
    end = tail[tail.rfind(_DIRECTORY_END) :]
    if end.startswith(_DIRECTORY_END) and len(end) >= 6 and struct.unpack_from("<H", end, 4)[0] not in (0, 0xFFFF):
        raise UserError(
            f"{files.text(path)}: the last part of a zip in several. "
            "Join the parts (zip -s 0 FILE.zip --out whole.zip) and give the whole."
        )
    file.seek(0)


def _name(info: zipfile.ZipInfo) -> str:
    r"""Return a member's name: UTF-8 where it is, whatever the flag says (macOS), with / for \ (.NET, PowerShell)."""
    name = info.orig_filename.partition("\0")[0]
    if not info.flag_bits & _UTF8:
        raw = info.orig_filename.encode("cp437")
        name = _unicode_path(info.extra, raw) or _as_utf8(raw) or name
    return name if escape_problem(name) else name.replace("\\", "/")


def _as_utf8(raw: bytes) -> str | None:
    try:
        return raw.partition(b"\0")[0].decode()
    except UnicodeDecodeError:
        return None


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name in UTF-8 from Info-ZIP's extra field; None where there is none, or it is of another name."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        value, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(value) > 5 and struct.unpack_from("<BI", value) == (1, zlib.crc32(raw)):
            return _as_utf8(value[5:])
    return None


def _problem(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & 0x1:
        return "encrypted: unpack the archive with its password and give the folder"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"compressed by {method} and not by deflate: unpack the archive and give the folder"
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        return "a link, which could point outside the archive"
    return None


def read(file: IO[bytes], member: Member, limit: int) -> bytes:
    """Return a member's data, read directly: ZipFile would read the whole directory again for each worker."""
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
