"""Archives of images, read without unpacking them: tar, compressed or not, and zip.

The members are listed first, from the headers of a tar or the directory of a zip; damage is reported then, before any
image is read. Then their data is read by position. No file is ever written under a member's name. Members that point
outside the archive, symbolic links and devices are reported; operating systems' own files are ignored.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from components import file_names, files
from components.errors import UserError
from components.example_gen.archives import file_types, tars, zips
from components.example_gen.archives.members import Contents, Member, escape_problem
from components.example_gen.formats.base import (
    NO_CLASS,
    Features,
    Format,
    Group,
    Inventory,
    Listing,
    Record,
    deal,
    parts_of,
)
from components.example_gen.layout import folder_of
from components.example_gen.rejected import Rejected


def _is_named(path: str) -> bool:
    return bool(file_types.ENDINGS.search(path))


def _is_file(path: str) -> bool:
    return file_types.archive_type(path) is not None


def _inventory(listing: Listing, features: Features) -> Inventory:
    from components.example_gen.formats import detect, folder  # they know this module

    path = listing.path
    title = files.text(path)
    form = file_types.archive_type(path)
    if form is None:
        raise file_types.refusal(path) or UserError(f"{title}: not a kind of file known here. Give {FORMAT.expected}.")
    members, folders = _contents(path, form)
    images = [member for member in members if not file_names.is_description(member.name)]
    ignored = [member.name for member in members if file_names.is_description(member.name)]
    names = [member.name for member in images]
    if (inside := detect.of_names(names, title)) is not folder.FORMAT:
        raise UserError(
            f"{title}: an archive of {inside.several} ({files.listed(list(filter(inside.is_named, names)))})"
            ", which are not read out of one. Unpack it, and give the folder."
        )
    if form == "packed tar":  # no member can be read without those before it
        ordered = sorted(images, key=lambda member: member.offset)
        return Inventory([_Unit(path, form, ordered, parts_of(files.size(path)))], folders, ignored, images=len(images))
    units = [_Unit(path, form, some) for some in deal(images, lambda member: member.name)]
    return Inventory(units, folders, ignored, images=len(images))


def _preview(listing: Listing, features: Features) -> Inventory:
    if file_types.archive_type(listing.path) == "packed tar":
        return Inventory([_Beginning(listing.path)])
    return _inventory(listing, features)


def _contents(path: str, form: file_types.ArchiveType) -> Contents:
    """List the members of an archive.

    Raises:
      UserError: the archive is damaged, cut off, or holds other archives and no images.
    """
    contents = zips.contents(path) if form == "zip" else tars.contents(path)
    names = [member.name for member in contents.members if not file_names.is_description(member.name)]
    inner = [name for name in names if file_types.ENDINGS.search(name)]
    if inner and len(inner) == len(names):
        way_on = "the archive in it" if len(inner) == 1 else "the folder: each archive in it is read"
        raise UserError(
            f"{files.text(path)}: no images in it but archives ({files.listed(inner)}), which are not read. "
            f"Unpack it, and give {way_on}."
        )
    return contents


@dataclass(frozen=True)
class _Unit:
    path: str
    form: file_types.ArchiveType
    members: list[Member]
    parts: int = 1

    def read(self, max_bytes: int) -> Iterator[Record]:
        for member, content in _read_members(self.path, self.form, self.members, max_bytes):
            group: Group = NO_CLASS if escape_problem(member.name) else folder_of(member.name)
            yield Record(files.text(member.name), group, content)


@dataclass(frozen=True)
class _Beginning:
    """A compressed tar whose members are not listed first: for that, all of it is decompressed."""

    path: str
    parts: int = 1

    def read(self, max_bytes: int) -> Iterator[Record]:
        with file_types.damage_named(self.path), tars.open_tar(self.path) as tar:
            for info in tars.infos(tar):
                ignored = file_names.is_ignored(info.name) or file_names.is_description(info.name)
                if not ignored and 0 < info.size <= max_bytes and (content := tar.extractfile(info)):
                    yield Record(files.text(info.name), NO_CLASS, content.read())


def _read_members(
    path: str, form: file_types.ArchiveType, members: list[Member], limit: int
) -> Iterator[tuple[Member, bytes | Rejected]]:
    """Yield the bytes of each member, at most limit + 1, by position: in its order where the archive is packed."""
    with file_types.damage_named(path), files.open_binary(path) as file, contextlib.ExitStack() as stack:
        stream = stack.enter_context(file_types.decompressed(file)) if form == "packed tar" else file
        previous: tuple[int, bytes] | None = None  # hard links have one position, and a packed tar is only read forward
        for member in members:
            try:
                if member.problem:
                    raise Rejected(member.problem)
                if not 0 <= member.size <= limit:
                    raise Rejected(f"over the limit of {limit:,} bytes (data.max_bytes)")
                if previous is None or previous[0] != member.offset:
                    stream.seek(member.offset)
                    raw = stream.read(member.size) if member.crc is None else zips.read(file, member, limit)
                    previous = member.offset, raw
                if member.crc is None and len(previous[1]) != member.size:
                    raise Rejected("the archive ends within it")
                yield member, previous[1]
            except Rejected as rejected:
                yield member, rejected
            except (OSError, ValueError) as error:  # a place that cannot be
                if form == "packed tar":
                    raise error
                yield member, Rejected("its place in the archive is damaged")


FORMAT = Format(
    "archive",
    "a .tar, .tar.gz or .zip of images",
    _inventory,
    is_named=_is_named,
    is_file=_is_file,
    preview=_preview,
)
