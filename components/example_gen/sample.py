"""A sample of a source's images, taken before the run: how many images there are, and how large they are."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator
from typing import NamedTuple

import numpy as np

from components import files
from components.errors import UserError
from components.example_gen import decoding
from components.example_gen.formats import detect
from components.example_gen.formats.base import Features, Inventory, Listing, Record
from components.example_gen.rejected import Rejected

LARGEST = 32  # images in a sample


class Sample(NamedTuple):
    """The number and the sizes of a source's images, as far as a sample tells."""

    images: int | None  # in the source; None where only reading all of it would tell
    read: int  # in the sample, those that cannot be used included
    sides: list[int]  # the shorter side of those that can, in pixels


def take(format_name: str, path: str, features: Features, max_bytes: int) -> Sample:
    """Read some images of a local source: of a folder or an archive by a hash of their names, else the first ones.

    Args:
      format_name: of the source's format.
      path: of the source.
      features: the user's names for those of TFRecords, or for columns.
      max_bytes: of an encoded image; larger ones are not read.

    Raises:
      UserError: the source is damaged, cannot be read, or what is in it does not fit together.
    """
    try:
        listing = Listing.at(path)
        chosen = detect.chosen(format_name, listing)
        inventory = (chosen.preview or chosen.inventory)(listing, features)
        with contextlib.closing(_records(inventory, max_bytes)) as records:
            sides = [_shorter_side(record.content) for record in itertools.islice(records, LARGEST)]
    except OSError as error:
        raise UserError(f"{files.text(path)}: cannot be read ({files.error_reason(error)}).") from error
    return Sample(inventory.images, len(sides), [side for side in sides if side])


def _records(inventory: Inventory, max_bytes: int) -> Generator[Record, None, None]:
    for unit in inventory.units:
        for record in unit.read(max_bytes):
            if isinstance(record, Record):
                yield record


def _shorter_side(content: bytes | np.ndarray | Rejected) -> int | None:
    if isinstance(content, np.ndarray):
        return min(content.shape[:2])
    size = decoding.header_size(content) if isinstance(content, bytes) else None
    return min(size) if size else None
