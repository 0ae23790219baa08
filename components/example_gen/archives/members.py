"""The members of an archive: what of it is read, under which name, and why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from components import file_names
from components.example_gen.archives import file_types

_REPLACED = "a later member of the archive has the same name"
_NESTED = "an archive within the archive, which is not read: unpack it"


class Member(NamedTuple):
    """A file of an archive, with what is needed to read it directly."""

    name: str
    offset: int  # of the data in a tar (once decompressed), of the local header in a zip
    size: int  # as stored
    deflated: bool = False
    crc: int | None = None  # of the data; None in a tar
    problem: str | None = None  # why it is no image


class Contents(NamedTuple):
    members: list[Member]
    folders: list[str]


@dataclass
class Catalogue:
    """Gathers members in the archive's order; of several with one name the last counts, as when unpacked."""

    by_name: dict[str, Member] = field(default_factory=dict)
    replaced: list[Member] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)

    def add(self, member: Member) -> None:
        before = self.by_name.get(member.name)
        if before and before.offset != member.offset:  # else a hard link to itself
            self.replaced.append(before._replace(problem=before.problem or _REPLACED))
        self.by_name[member.name] = member

    def contents(self) -> Contents:
        """Return everything but ignored files."""
        members = [self._judged(member) for member in (*self.by_name.values(), *self.replaced)]
        folders = [
            folder for folder in self.folders if not escape_problem(folder) and not file_names.is_ignored(folder)
        ]
        return Contents([member for member in members if not file_names.is_ignored(member.name)], folders)

    @staticmethod
    def _judged(member: Member) -> Member:
        problem = member.problem or escape_problem(member.name)
        if not problem and file_types.ENDINGS.search(member.name):
            problem = _NESTED
        return member if problem == member.problem else member._replace(problem=problem)


def escape_problem(name: str) -> str | None:
    """Return why a member's name is refused: unpacked, it would lie outside the archive's folder."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":"):
        return "its name points outside the archive"
    return None


def tidy(name: str) -> str:
    """Return a name without '.', doubled and closing slashes; one that points outside the archive stays as it is."""
    return name if escape_problem(name) else "/".join(part for part in name.split("/") if part not in ("", "."))
