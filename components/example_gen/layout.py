"""Which split and class a folder of pictures stands for; the same rule for folders on disk and inside archives.

`train/<class>/…` with `test/<class>/…` and `validation/<class>/…` (or `val`, `valid`), or plain `<class>/…`. A single
folder around all of it is looked through. Folders below a class belong to that class.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import NamedTuple

from components.errors import UserError
from components.features import TEST, TRAIN, VALIDATION
from components.files import text

SPLIT_FOLDERS = {
    "train": TRAIN,
    "validation": VALIDATION,
    "val": VALIDATION,
    "valid": VALIDATION,
    "test": TEST,
}


class Place(NamedTuple):
    """Where pictures belong: their split, None where the source does not say, and their class."""

    split: str | None
    class_name: str | int


def class_name(folder: str) -> str:
    """A folder's name as a class: in composed Unicode, so that the same name written on two systems is one class."""
    return unicodedata.normalize("NFC", text(folder))


def places(filled: Collection[str], folders: Collection[str], what: str) -> dict[str, Place | None]:
    """The place of each folder ('' is the top, '/' between names); None for those that are in no class.

    `filled` are the folders with files directly in them, `folders` all folders; `what` names the source.

    Raises:
      UserError: there are no files, no class folders, or only one class.
    """
    if not filled:
        raise UserError(f"{what}: no pictures in it. Expected a folder for each class, with its pictures in it.")
    paths = {folder: tuple(part for part in folder.split("/") if part) for folder in {*filled, *folders}}
    used = [paths[folder] for folder in filled]
    depth = 0
    while _wrapped(used, depth):
        depth += 1
    with_splits = _has_splits([path[depth:] for path in used])
    result: dict[str, Place | None] = {}
    for folder, path in paths.items():
        inner = path[depth:]
        split = SPLIT_FOLDERS.get(inner[0].casefold()) if inner and with_splits else None
        names = inner[1:] if with_splits else inner
        placed = names and (split or not with_splits)
        result[folder] = Place(split, class_name(names[0])) if placed else None
    classes = sorted({str(place.class_name) for folder in filled if (place := result[folder])})
    if not classes:
        raise UserError(
            f"{what}: pictures but no class folders. Put the pictures of each class into a folder named after it."
        )
    if len(classes) == 1:
        raise UserError(f"{what}: only one class, {classes[0]!r}. A classifier needs at least two class folders.")
    return result


def _wrapped(used: list[tuple[str, ...]], depth: int) -> bool:
    """Whether one folder surrounds everything at this depth: it is no split, and folders lie inside it."""
    tops = {path[depth] for path in used if len(path) > depth}
    if len(tops) != 1 or tops.pop().casefold() in SPLIT_FOLDERS:
        return False
    return any(len(path) > depth + 1 for path in used)


def _has_splits(used: list[tuple[str, ...]]) -> bool:
    """A `train` folder beside another split's, or alone, with folders in it."""
    tops = {path[0].casefold() for path in used if path}
    if not any(len(path) > 1 and path[0].casefold() == "train" for path in used):
        return False
    return tops == {"train"} or len({SPLIT_FOLDERS[top] for top in tops if top in SPLIT_FOLDERS}) > 1
