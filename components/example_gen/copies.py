"""Images with exactly the same pixels, and which of them are left out where the action of the gate is `drop`.

- An image under more than one label, a conflict: all its copies. Where conflicts are not dropped, DataGate judges them.
- An image in more than one split, a leak: the copies outside test, or outside validation where test has none, so that
  the split that measures stays as it was given.
- Copies in one class of one split: all but the one with the shortest name.

Of all images only their hashes of 64 bits are sorted, 8 bytes each; of copies alone more is kept in memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from components.contracts import features as f
from components.contracts.findings import CONFLICTS, DUPLICATES, LEAKS
from components.contracts.rejects import Rejection
from components.example_gen.formats.base import Group
from components.example_gen.shuffle_files import DROPPED, Identity, Index

_SHOWN = 3  # examples in a note

# Reads the identities of rows of the shuffle file with a number.
Identify = Callable[[int, np.ndarray], Iterable[Identity]]


class Cell(NamedTuple):
    """A class of a split, as far as the source gives the split: what is cut later is all of train."""

    split: str
    class_name: str


class _Copy(NamedTuple):
    source: str
    cell: Cell
    file: int
    row: int

    def __str__(self) -> str:
        return f"{self.source!r} ({self.cell.class_name!r})"


class Dropped(NamedTuple):
    """An image that is left out, and one with the same pixels."""

    kind: str  # of finding
    reason: str
    image: _Copy
    other: _Copy

    @property
    def rejection(self) -> Rejection:
        """How it is listed among the rejected images."""
        return Rejection(self.image.source, self.reason, self.image.cell.class_name, self.other.source)


def drop(
    indexes: Sequence[Index], cells: Mapping[Group, Cell], kinds: Collection[str], identify: Identify
) -> tuple[list[Index], list[Dropped]]:
    """Return the indexes, in which the codes of images that are left out are DROPPED, and these images by name.

    Args:
      indexes: of the shuffle files. Those without such an image are returned as they are.
      cells: where the images of each group belong; images of other groups are not looked at.
      kinds: of findings whose images are left out.
      identify: called only for images that another one may equal.
    """
    if not kinds:
        return list(indexes), []
    copies: defaultdict[bytes, list[_Copy]] = defaultdict(list)
    for file, rows in _repeated(indexes, cells):
        index = indexes[file]
        for row, identity in zip(rows.tolist(), identify(file, rows)):
            cell = cells[index.groups[index.codes[row]]]
            copies[identity.pixels_sha256].append(_Copy(identity.source, cell, file, row))
    dropped = [each for same in copies.values() if len(same) > 1 for each in _judge(same, kinds)]
    rows_of: defaultdict[int, list[int]] = defaultdict(list)
    for each in dropped:
        rows_of[each.image.file].append(each.image.row)
    result = list(indexes)
    for file, dropped_rows in rows_of.items():
        codes = indexes[file].codes.copy()
        codes[dropped_rows] = DROPPED
        result[file] = indexes[file]._replace(codes=codes)
    return result, sorted(dropped, key=lambda each: (each.kind, each.image))


def _repeated(indexes: Sequence[Index], cells: Mapping[Group, Cell]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each shuffle file with images whose hash occurs more than once, and their rows."""
    known = [np.array([group in cells for group in index.groups], bool)[index.codes] for index in indexes]
    hashes = np.concatenate([index.hashes[rows] for index, rows in zip(indexes, known)] or [np.zeros(0, np.uint64)])
    hashes.sort()
    repeated = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    for file, (index, rows) in enumerate(zip(indexes, known)):
        found = np.flatnonzero(rows & np.isin(index.hashes, repeated))
        if len(found):
            yield file, found


def _judge(same: list[_Copy], kinds: Collection[str]) -> Iterator[Dropped]:
    """Yield those of the copies of one image that are left out; the order of the copies does not matter."""
    copies = sorted(same, key=lambda copy: (len(copy.source), copy))
    is_conflict = len({copy.cell.class_name for copy in copies}) > 1
    if is_conflict and CONFLICTS in kinds:
        for copy in copies:
            other = next(each for each in copies if each.cell.class_name != copy.cell.class_name)
            yield Dropped(CONFLICTS, "same pixels under more than one label", copy, other)
        return
    if LEAKS in kinds and not is_conflict:
        kept_split = max((copy.cell.split for copy in copies), key=f.SPLITS.index)
        kept = [copy for copy in copies if copy.cell.split == kept_split]
        for copy in copies:
            if copy.cell.split != kept_split:
                yield Dropped(LEAKS, f"same pixels in {kept_split}", copy, kept[0])
        copies = kept
    if DUPLICATES in kinds:
        first: dict[Cell, _Copy] = {}
        for copy in copies:
            if first.setdefault(copy.cell, copy) is not copy:
                yield Dropped(DUPLICATES, "same pixels as another image of its class and split", copy, first[copy.cell])


def notes(dropped: Sequence[Dropped]) -> Iterator[str]:
    """Yield a line on the images that were left out for each reason, with a few of them by name."""
    counts = Counter((each.kind, each.reason) for each in dropped)
    for (kind, reason), count in sorted(counts.items()):
        pairs = {frozenset((each.image, each.other)): each for each in reversed(dropped) if each.reason == reason}
        few = sorted(pairs.values(), key=lambda each: each.image)[:_SHOWN]
        examples = "; ".join(f"{each.image} = {each.other}" for each in few)
        images = "1 image was" if count == 1 else f"{count:,} images were"
        yield f"{images} dropped: {reason} (gate.{kind}), e.g. {examples}"
