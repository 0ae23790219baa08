"""The split and class of each folder of images, by one rule for folders on disk and inside archives.

`train/<class>/…` with `test/<class>/…` and `validation/<class>/…` (by any name that split_names knows), plain
`<class>/…`, or `<class>/train/…` with `<class>/test/…`. A single enclosing folder is skipped, as is one that repeats a
split's name or is in each split. Folders below a class belong to that class.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from components.contracts.features import TRAIN
from components.errors import UserError
from components.example_gen import split_names
from components.file_names import TABLE_ENDINGS
from components.files import listed, text

# Folders that hold a part of the data, whatever their images show: never the names of all classes.
_CONTAINERS = frozenset(
    {"images", "image", "imgs", "img", "jpegimages", "masks", "mask", "annotations", "annotation", "labels", "label"}
    | {"segmentations", "segmentation", "groundtruth", "ground_truth", "gt", "depth", "bboxes"}
)

# What parts of a set are called that differ by number.
_PARTS = re.compile("part|fold|batch|chunk|shard|images?|imgs?")

_Path = tuple[str, ...]


class SplitAndClass(NamedTuple):
    """The split of images (None where the source does not say) and their class."""

    split: str | None
    class_name: str | int


class Layout(NamedTuple):
    """The classes and splits of a source's folders."""

    folders: dict[str, SplitAndClass | None]  # None for those that are in no class
    reasons: dict[str, str]  # why not, of those
    notes: list[str]  # what the user should know of it, a line each


def folder_of(name: str) -> str:
    """Return the folder that a file lies in, '' for the top."""
    return name.rpartition("/")[0]


def class_name(folder: str) -> str:
    """Return a folder's name as a class: in composed Unicode, so that a name written on two systems is one class."""
    return unicodedata.normalize("NFC", text(folder))


def locate_folders(
    filled: Collection[str], folders: Collection[str], title: str, described: Sequence[str] = ()
) -> Layout:
    """Return the classes and splits of folders ('' is the top, '/' between names).

    Args:
      filled: the folders with files directly in them.
      folders: all folders.
      title: of the source, for messages.
      described: files that are not images, listed in the message if there are no class folders: they may hold the
        labels.

    Raises:
      UserError: there are no files, no class folders, only one class, or splits and classes cannot be told apart.
    """
    if not filled:
        raise UserError(f"{title}: no images in it. Expected a folder for each class, with its images in it.")
    paths = {folder: tuple(part for part in folder.split("/") if part) for folder in {*filled, *folders}}
    around = _around([paths[folder] for folder in filled], title)
    inner = {folder: path[len(around) :] for folder, path in paths.items() if path[: len(around)] == around}
    used = [inner[folder] for folder in filled if folder in inner]
    splits = _splits(used, title)
    split_last = not splits and _class_then_split(used, title)
    repeated = {top: _repeated(used, top, splits) for top in splits}
    result: dict[str, SplitAndClass | None] = dict.fromkeys(paths)
    for folder, path in inner.items():
        split = splits.get(path[0]) if path else None
        names = path[1:] if splits else path
        if split and repeated[path[0]] and names[:1] == (repeated[path[0]],):
            names = names[1:]
        if split_last and len(path) > 1:
            split = split_last.get(path[1])
        if names and (split or not splits):
            result[folder] = SplitAndClass(split, class_name(names[0]))
    _check_classes(title, {folder: result[folder] for folder in filled}, splits, described)
    reasons = {folder: _no_class(inner.get(folder, ()), splits) for folder, target in result.items() if target is None}
    notes = [*_levels([inner[folder] for folder in filled if result[folder]], splits, repeated, bool(split_last))]
    if not splits:
        notes += _doubtful_classes({path[0] for path in used if path})
    return Layout(result, reasons, notes)


def splits_of(folders: Collection[str], title: str) -> dict[str, str | None]:
    """Return the split of each folder that holds images, whatever gives their classes; None for all if none gives one.

    Raises:
      UserError: there are images for test and none for train.
    """
    paths = {folder: tuple(part for part in folder.split("/") if part) for folder in folders}
    around = len(_around(list(paths.values()), title))
    splits = _splits([path[around:] for path in paths.values()], title)
    return {folder: splits.get(path[around]) if len(path) > around else None for folder, path in paths.items()}


def _around(used: Sequence[_Path], title: str) -> _Path:
    """Return the folders that enclose everything, each the only one in its parent; a split's folder is not one."""
    depth = 0
    while True:
        inner = [path[depth:] for path in used]
        tops = {path[0] for path in inner if path}
        if len(tops) != 1 or not any(len(path) > 1 for path in inner):
            break
        name = split_names.named(next(iter(tops)))
        if name.split and not name.rest:
            below = [path[1:] for path in inner if len(path) > 1]
            if len({split_names.named(path[0]).split for path in below} - {None}) < 2 or not _splits(below, title):
                break
        depth += 1
    return max(used, key=len)[:depth]


def _splits(used: Sequence[_Path], title: str) -> dict[str, str]:
    """Return the split of each top folder that is one; empty if the top folders are classes."""
    below: dict[str, set[str]] = defaultdict(set)  # by top folder, the names of filled folders in it; '' for itself
    for path in used:
        if path:
            below[path[0]].add(path[1] if len(path) > 1 else "")
    names = {top: split_names.named(top) for top in below}
    rests: dict[str, set[str]] = defaultdict(set)
    for name in names.values():
        if name.split and name.rest:
            rests[name.rest].add(name.split)
    if len(rests) > 1 and any(TRAIN in together and len(together) > 1 for together in rests.values()):
        raise UserError(
            f"{title}: its folders are named by class and split at once ({_folders(below)}). "
            "Put them into train/<class>/ and test/<class>/."
        )
    by_name = {top: name.split for top, name in names.items() if name.split and (not name.rest or len(rests) == 1)}
    if len(rests) > 1 and all(name.split and "" not in below[top] for top, name in names.items()):
        raise UserError(
            f"{title}: {_folders(below)} are named like splits and like more: which are the classes? "
            "Call the splits train, validation and test, or give one of these folders."
        )
    splits = split_names.settled(by_name)
    other_folders = sorted(set(below) - set(splits))
    given_splits = set(splits.values())
    if len(given_splits) < 2 and other_folders:
        _check_beside(title, below, splits, other_folders)
        return {}
    if splits and TRAIN not in given_splits:
        if len(below) == 1 and names[next(iter(below))].rest:
            return {}
        raise UserError(
            f"{title}: there are images for {' and '.join(sorted(given_splits))} ({_folders(splits)}), and none for "
            "train. Give the folder that holds train as well; or give one of these folders itself, to have its images "
            "split."
        )
    return splits


def _check_beside(
    title: str, below: Mapping[str, Collection[str]], splits: Mapping[str, str], other_folders: Sequence[str]
) -> None:
    """Refuse a folder named like a split that lies beside others and holds class folders, as a split would."""
    inside = {name for folder in other_folders for name in below[folder]} | set(other_folders)
    for top in splits:
        is_like_one = "" not in below[top] and len(below[top]) > 1
        others_are = all("" not in below[folder] and len(below[folder]) > 1 for folder in other_folders)
        if is_like_one and (not others_are or inside & set(below[top])):
            raise UserError(
                f"{title}: {_folders([top])} is named like a split and holds folders ({listed(sorted(below[top]))}), "
                f"and {_folders(other_folders)} beside it is none: which are the classes? "
                f"Give {_folders([top])} itself, or move {_folders(other_folders)} elsewhere."
            )


def _class_then_split(used: Sequence[_Path], title: str) -> dict[str, str]:
    """Return the split of each folder within the classes, if they have them: `<class>/train/…`, `<class>/test/…`."""
    names = {path[1]: split_names.named(path[1]) for path in used if len(path) > 1}
    splits = split_names.settled({name: n.split for name, n in names.items() if n.split and not n.rest})
    if TRAIN not in splits.values() or len(set(splits.values())) < 2:
        return {}
    if without := sorted("/".join(path) for path in used if path and (len(path) < 2 or path[1] not in splits)):
        raise UserError(
            f"{title}: some class folders hold folders for splits ({listed(sorted(splits))}), "
            f"and {_folders(without)} is in none of them. Sort all images of each class into such folders, or none."
        )
    tops = {path[0] for path in used if path}
    if deeper := sorted("/".join(path) for path in used if len(path) > 2):
        raise UserError(
            f"{title}: the splits lie within {_folders(tops)} and hold folders ({_folders(deeper)}): "
            "which are the classes? Give one of these folders."
        )
    return splits


def _repeated(used: Sequence[_Path], top: str, splits: Mapping[str, str]) -> str:
    """Return the only folder in a split, which is skipped: named like the split, or the same in all splits; else ''."""
    inside = {folder: {path[1] for path in used if path[:1] == (folder,) and len(path) > 1} for folder in splits}
    if len(inside[top]) != 1:
        return ""
    (only,) = inside[top]
    name = split_names.named(only)
    if name.split and split_names.settled({**splits, only: name.split})[only] == splits[top]:
        return only
    deeper = any(len(path) > 2 for path in used if path[:1] == (top,))
    return only if deeper and all(names in ({only}, set()) for names in inside.values()) else ""


def _check_classes(
    title: str, filled: Mapping[str, SplitAndClass | None], splits: Mapping[str, str], described: Sequence[str]
) -> None:
    targets = [target for target in filled.values() if target]
    trained = {str(target.class_name) for target in targets if target.split in (None, TRAIN)}
    classes = sorted({str(target.class_name) for target in targets})
    tables = [name for name in described if TABLE_ENDINGS.search(name)]
    instead = f"; give {listed(tables[:1])} itself if it names images and labels" if tables else ""
    unread = f" (labels in {listed(described)} are not read{instead})" if described else ""
    contained = all(name.casefold() in _CONTAINERS for name in classes)
    if not trained or (contained and len(classes) == 1):
        where = f"the images of {_folders(splits)} lie in no class folders" if splits else "images but no class folders"
        train = [f"{top}/<class>/" for top in sorted(splits) if splits[top] == TRAIN]
        example = train[0] if train else "a folder named after it"
        raise UserError(f"{title}: {where}{unread}. Put the images of each class into {example}.")
    if len(classes) == 1:
        raise UserError(
            f"{title}: only one class, {classes[0]!r}{unread}. A classifier needs at least two class folders."
        )
    if contained:
        raise UserError(
            f"{title}: {_folders(classes)} are parts of one data set, not classes. "
            "Give the folder whose folders are named after the classes."
        )


def _no_class(path: _Path, splits: Mapping[str, str]) -> str:
    reason = "not in the folder of a class"
    if not splits or not path:
        return reason
    return f"{reason}: directly in {path[0]}/" if path[0] in splits else f"{reason}: beside {_folders(splits)}"


def _levels(
    used: Iterable[_Path], splits: Mapping[str, str], repeated: Mapping[str, str], split_last: bool
) -> Iterable[str]:
    """Yield a note that the upper folder is the class if class folders hold folders of images."""
    deeper: set[str] = set()
    for path in used:
        above = (1 + bool(repeated[path[0]])) if splits else 0
        if len(path) > above + 1 + split_last:
            deeper.add("/".join(path[above:]))
    if deeper:
        tops = sorted({path.split("/")[0] for path in deeper})
        yield (
            f"the class is the upper folder: {listed(tops)}; the images of {listed(sorted(deeper))} "
            "are its own, and the names of the folders within it do not count"
        )


def _doubtful_classes(tops: Collection[str]) -> Iterable[str]:
    without_numbers = {re.sub(r"\d+", "", top.casefold()) for top in tops}
    if len(tops) > 1 and len(without_numbers) == 1 and _PARTS.search(without_numbers.pop()):
        yield f"{_folders(tops)} are read as classes; if they are parts of one set, sort their images by class"
    alike = sorted(top for top in tops if (name := split_names.named(top)).split and not name.rest)
    for top in alike:
        other_tops = sorted(set(tops) - {top})
        if other_tops:
            yield f"{top}/ is read as a class, because it is beside {_folders(other_tops)}; if it is a split, move it"


def _folders(folders: Iterable[str], limit: int = 3) -> str:
    return listed([f"{folder}/" for folder in sorted(folders)], limit)
