"""Archives of pictures, read without unpacking them: tar, compressed or not, and zip.

First the members, from the headers of a tar or the directory of a zip; what is damaged or cut off is named then, before
any image is read. Then their data, by position. Nothing is ever written under a member's name. Members that point
outside the archive, symbolic links and devices are named as problems; litter of operating systems is passed over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from components import files
from components.errors import UserError
from components.example_gen import formats, tars, zips
from components.example_gen.members import Contents, Member
from components.example_gen.pictures import Rejected


def contents(path: str, form: formats.Form) -> Contents:
    """Lists what is in an archive.

    Raises:
      UserError: the archive is damaged, cut off, or holds other archives and no images.
    """
    found = zips.contents(path) if form == "zip" else tars.contents(path)
    names = [member.name for member in found.members if not files.is_description(member.name)]
    inner = [name for name in names if formats.ENDINGS.search(name)]
    if inner and len(inner) == len(names):
        way_on = "the archive in it" if len(inner) == 1 else "the folder: each archive in it is read"
        raise UserError(
            f"{files.text(path)}: no images in it but archives ({files.shown(inner)}), which are not looked into. "
            f"Unpack it, and give {way_on}."
        )
    return found


def read_members(
    path: str, form: formats.Form, members: list[Member], limit: int
) -> Iterator[tuple[Member, bytes | Rejected]]:
    """The bytes of each member, at most limit + 1 of them, by position: in its order where the archive is packed."""
    with formats.damage_named(path), files.open_binary(path) as file, contextlib.ExitStack() as stack:
        stream = stack.enter_context(formats.decompressed(file)) if form == "packed tar" else file
        last: tuple[int, bytes] | None = None  # hard links have one position, and a packed tar is only read forward
        for member in members:
            try:
                if member.problem:
                    raise Rejected(member.problem)
                if not 0 <= member.size <= limit:
                    raise Rejected(f"over the limit of {limit:,} bytes (data.max_bytes)")
                if last is None or last[0] != member.offset:
                    stream.seek(member.offset)
                    raw = stream.read(member.size) if member.crc is None else zips.read(file, member, limit)
                    last = member.offset, raw
                if member.crc is None and len(last[1]) != member.size:
                    raise Rejected("the archive ends within it")
                yield member, last[1]
            except Rejected as rejected:
                yield member, rejected
            except (OSError, ValueError) as error:  # a place that cannot be
                if form == "packed tar":
                    raise error
                yield member, Rejected("its place in the archive is damaged")
