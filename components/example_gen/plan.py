"""The plan between the two passes: the class and split of every image."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from components.contracts import features as f
from components.contracts.rejects import Rejection
from components.errors import UserError
from components.example_gen import copies, splits
from components.example_gen.formats.base import Group, Inventory
from components.example_gen.layout import Layout, SplitAndClass, locate_folders
from components.example_gen.shuffle_files import Index, UnitResult
from components.files import listed, text

Drop = Callable[[Sequence[Index], Mapping[Group, copies.Cell]], tuple[list[Index], list[copies.Dropped]]]


class Target(NamedTuple):
    """The destination of a group's images: `split`, or if that is None, the one by `cuts`."""

    label: int
    class_name: str
    split: str | None
    cuts: splits.Cut


class Plan(NamedTuple):
    class_names: list[str]
    targets: dict[Group, Target | Rejection]  # a Rejection's source is empty: it stands for each image of the group
    indexes: list[Index]  # of the shuffle files, without the images that were dropped
    rejected: list[Rejection]
    dropped: dict[str, int]  # those of them that were dropped as copies, by the kind of finding
    ignored: int  # files that describe the images
    notes: list[str]  # what the user should know of how the source was understood, a line each


def make(
    title: str,
    results: Sequence[UnitResult],
    inventory: Inventory,
    indexes: Sequence[Index],
    shares: Mapping[str, float],
    drop: Drop,
) -> Plan:
    """Resolve classes and splits from the results of the first pass.

    Args:
      title: names the source.
      results: of the first pass, a unit each.
      inventory: of the source.
      indexes: of the shuffle files.
      shares: of the splits.
      drop: leaves out copies of images; see copies.drop.

    Raises:
      UserError: the source is damaged, or there are not two classes with usable images.
    """
    for result in results:
        if result.error:
            raise UserError(result.error)
    rejects = [reject for result in results for reject in result.rejected]
    counts = _counts(indexes)
    ignored = sorted(inventory.ignored)
    used = {*counts, *(group for *_, group in rejects)}
    filled = {group for group in used if isinstance(group, str)}
    layout = Layout({}, {}, [])  # where the source itself gives the classes
    if filled or inventory.folders or not used:
        layout = locate_folders(filled, inventory.folders, title, ignored)
    resolved = _resolved(title, {group for group in used if isinstance(group, SplitAndClass)}, results)
    resolved.update(layout.folders)

    def name_of(group: Group) -> str | None:
        target = resolved.get(group)
        return str(target.class_name) if target and target.class_name != "" else None

    def cells_of(groups: Iterable[Group]) -> dict[Group, copies.Cell]:
        return {
            group: copies.Cell(target.split or f.TRAIN, name)
            for group in groups
            if (target := resolved[group]) and (name := name_of(group)) is not None
        }

    found = cells_of(counts)
    known = {name for split, name in found.values() if split == f.TRAIN}
    indexes, dropped = drop(indexes, {group: cell for group, cell in found.items() if cell.class_name in known})
    counts = _counts(indexes)
    left = cells_of(counts)
    rejected = [Rejection(source, reason, name_of(group)) for source, reason, group in rejects]
    rejected += [each.rejection for each in dropped]
    if not counts:
        raise UserError(f"{title}: none of its {len(rejected):,} images can be used ({_reasons(rejected)}).")
    usable = {cell.class_name for cell in left.values()}
    trained = {name for split, name in left.values() if split == f.TRAIN}
    described = {text(str(folder)) for name in ignored for folder in PurePosixPath(name).parents}
    for name in sorted({name for group in resolved if (name := name_of(group)) is not None} - usable):
        lying = [text(group) for group in resolved if isinstance(group, str) and name_of(group) == name]
        if not described.isdisjoint(lying) and name not in {rejection.class_name for rejection in rejected}:
            continue  # a folder of what describes the images, as annotations
        rejected.append(Rejection(min(lying, default=title), "the class has no usable image", name))
    class_names = sorted(usable & trained, key=_order)
    notes = [*_ignored_note(ignored), *inventory.notes, *layout.notes, *_alike(title, usable, trained)]
    notes += [*copies.notes(dropped), *_lost_notes(found.values(), left.values())]
    if len(class_names) < 2:
        few = f"only {class_names[0]!r} has" if class_names else "no class has"
        more = f" ({_reasons(rejected)})" if rejected else ""
        raise UserError(f"{title}: {few} usable images to train with, and a classifier needs two classes{more}.")
    given_splits = {target.split for group in counts if (target := resolved[group]) and target.split}
    targets = _targets(resolved, layout.reasons, class_names, indexes, shares, given_splits - {f.TRAIN})
    _check_no_split_is_empty(title, targets, indexes, given_splits, f" ({_reasons(rejected)})" if dropped else "")
    by_kind = Counter(each.kind for each in dropped)
    return Plan(class_names, targets, indexes, rejected, dict(by_kind), len(ignored), notes)


def _counts(indexes: Iterable[Index]) -> Counter[Group]:
    """Return the images of each group that has any."""
    counts: Counter[Group] = Counter()
    for index in indexes:
        counts.update(index.counts())
    return +counts


def split_codes(index: Index, targets: Mapping[Group, Target | Rejection]) -> np.ndarray:
    """Return the split of each example of a shuffle file: int8 [N], indices into SPLITS; -1 for none."""
    codes = np.full(len(index.hashes), -1, np.int8)
    for i, group in enumerate(index.groups):
        target, rows = targets[group], index.codes == i
        if isinstance(target, Target):
            if target.split is None or target.split == f.TRAIN:
                codes[rows] = splits.assign(index.hashes[rows], target.cuts)
            else:
                codes[rows] = f.SPLITS.index(target.split)
    return codes


def _order(name: str) -> tuple[bool, float, str]:
    """Return the key that sorts classes whose names are numbers as numbers, before all others."""
    number = re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", name)
    return (False, float(name), name) if number else (True, 0.0, name)


def _alike(title: str, usable: set[str], trained: set[str]) -> Iterator[str]:
    """Yield a note on classes whose names differ only by case or spaces.

    Raises:
      UserError: train lacks one of them, which is so of one class under two names.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(usable):
        groups[re.sub(r"[\s_-]+", " ", name.casefold()).strip() or name].append(name)
    for names in groups.values():
        if len(names) > 1:
            quoted = " and ".join(repr(name) for name in names)
            if not trained.issuperset(names):
                raise UserError(
                    f"{title}: the classes {quoted} differ only in upper and lower case or spaces, and not all of them "
                    "have images to train with. Give one class one name in every split."
                )
            yield f"the classes {quoted} differ only in upper and lower case or spaces"


def _resolved(
    title: str, groups: set[SplitAndClass], results: Sequence[UnitResult]
) -> dict[Group, SplitAndClass | None]:
    """Return the classes that the source gives; numbers by the names that it has for them."""
    result: dict[Group, SplitAndClass | None] = {}
    names = next((result.names for result in results if result.names is not None), None)
    numbers = [group.class_name for group in groups if isinstance(group.class_name, int)]
    texts = [group.class_name for group in groups if isinstance(group.class_name, str) and group.class_name]
    if numbers and texts:
        raise UserError(
            f"{title}: some records name their class by a number ({max(numbers)}), others by text ({min(texts)!r}). "
            "Let one feature name it in all of them: data.features.label."
        )
    width = len(str(max(numbers, default=0)))
    for group in groups:
        name = group.class_name
        if isinstance(name, int) and names is not None:
            if name >= len(names):
                raise UserError(f"{title}: a label {name}, but names for {len(names)} classes. Download it again.")
            name = names[name]
        result[group] = SplitAndClass(group.split, f"{name:0{width}d}" if isinstance(name, int) else name)
    return result


def _targets(
    resolved: Mapping[Group, SplitAndClass | None],
    reasons: Mapping[str, str],
    class_names: list[str],
    indexes: Sequence[Index],
    shares: Mapping[str, float],
    given_splits: set[str],
) -> dict[Group, Target | Rejection]:
    pools: dict[str, list[np.ndarray]] = defaultdict(list)  # the images of each class that could go to train
    for index in indexes:
        for i, group in enumerate(index.groups):
            if (place := resolved[group]) and place.split in (None, f.TRAIN):
                pools[str(place.class_name)].append(index.hashes[index.codes == i])
    cuts = {name: splits.cut(np.concatenate(pools[name]), shares, given_splits) for name in class_names}
    targets: dict[Group, Target | Rejection] = {}
    for group, place in resolved.items():
        name = str(place.class_name) if place else None
        if place is None or name is None:
            targets[group] = Rejection("", reasons.get(str(group), "not in the folder of a class"), None)
        elif name not in cuts:
            targets[group] = Rejection("", "its class has no image to train with", name)
        else:
            targets[group] = Target(class_names.index(name), name, place.split, cuts[name])
    return targets


def _check_no_split_is_empty(
    title: str,
    targets: Mapping[Group, Target | Rejection],
    indexes: Sequence[Index],
    given_splits: set[str],
    reasons: str,
) -> None:
    filled = {int(code) for index in indexes for code in np.unique(split_codes(index, targets))}
    for code, split in enumerate(f.SPLITS):
        if code not in filled and split in given_splits and split != f.TRAIN:
            raise UserError(
                f"{title}: no image of {split} is of a class that train has{reasons}. Name their classes alike."
            )
        if code not in filled:
            raise UserError(
                f"{title}: too few images: none is left for {split}{reasons}. Add images; a class needs at least 3."
            )


def _lost_notes(found: Collection[copies.Cell], left: Collection[copies.Cell]) -> Iterator[str]:
    """Yield a note on each split and class that has lost its images because they were dropped."""
    for split in sorted({cell.split for cell in found} - {cell.split for cell in left}):
        yield f"all images of {split} were dropped: it is cut out of train"
    before, now = ({name for split, name in cells if split == f.TRAIN} for cells in (found, left))
    for name in sorted(before - now):
        yield f"the class {name!r} is left out: all its images of train were dropped"


def _ignored_note(ignored: Sequence[str]) -> Iterator[str]:
    if ignored:
        files = "1 file that is not an image" if len(ignored) == 1 else f"{len(ignored):,} files that are not images"
        yield f"ignored {files} ({listed(ignored)})"


def _reasons(rejected: Sequence[Rejection]) -> str:
    counts = Counter(rejection.reason for rejection in rejected).most_common(3)
    return "; ".join(f"{count:,} × {reason}" for reason, count in counts)
