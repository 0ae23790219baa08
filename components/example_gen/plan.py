"""Between the two passes: which pictures become which class's and which split's examples."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from components.contracts import features as f
from components.contracts.rejects import Rejection
from components.errors import UserError
from components.example_gen import splits
from components.example_gen.layout import Layout, Place, understand
from components.example_gen.readers import Inventory
from components.example_gen.spool import Index, UnitResult
from components.files import shown, text


class Target(NamedTuple):
    """Where the pictures of one place go: to `split`, or where that is None by `cuts`."""

    label: int
    class_name: str
    split: str | None
    cuts: splits.Cut


class Plan(NamedTuple):
    class_names: list[str]
    targets: dict[str | Place, Target | Rejection]  # a Rejection's source is empty: it stands for each picture there
    rejected: list[Rejection]
    ignored: int  # files that describe the pictures
    notes: list[str]  # what the user should know of how the source was understood, a line each


def make(
    what: str,
    results: Sequence[UnitResult],
    inventory: Inventory,
    indexes: Sequence[Index],
    shares: Mapping[str, float],
) -> Plan:
    """Settles classes and splits from everything that the first pass found; `what` names the source.

    Raises:
      UserError: the source is damaged, or there are not two classes with usable pictures.
    """
    for result in results:
        if result.error:
            raise UserError(result.error)
    rejects = [reject for result in results for reject in result.rejected]
    counts: Counter[str | Place] = Counter()
    for index in indexes:
        for place, count in zip(index.places, np.bincount(index.codes, minlength=len(index.places)).tolist()):
            counts[place] += count
    ignored = sorted(inventory.ignored)
    used = {*counts, *(place for *_, place in rejects)}
    layout = _layout(what, {place for place in used if isinstance(place, str)}, inventory.folders, ignored, not used)
    resolved = _resolved(what, {place for place in used if isinstance(place, Place)}, results)
    resolved.update(layout.places)

    def name_of(place: str | Place) -> str | None:
        found = resolved.get(place)
        return str(found.class_name) if found and found.class_name != "" else None

    rejected = [Rejection(source, reason, name_of(place)) for source, reason, place in rejects]
    if not counts:
        raise UserError(f"{what}: none of its {len(rejects):,} images can be used ({_reasons(rejected)}).")
    usable = {name for place in counts if (name := name_of(place)) is not None}
    trained = {name_of(place) for place in counts if (found := resolved[place]) and found.split in (None, f.TRAIN)}
    described = {folder for name in ignored for folder in _folders_of(name)}
    for name in sorted({name for place in resolved if (name := name_of(place)) is not None} - usable):
        lying = [text(place) for place in resolved if isinstance(place, str) and name_of(place) == name]
        if not described.isdisjoint(lying) and name not in {rejection.class_name for rejection in rejected}:
            continue  # a folder of what describes the images, as annotations
        rejected.append(Rejection(min(lying, default=what), "the class has no usable picture", name))
    class_names = sorted(usable & trained, key=_order)
    notes = [*_ignored_note(ignored), *inventory.notes, *layout.notes, *_alike(what, usable, trained)]
    if len(class_names) < 2:
        few = f"only {class_names[0]!r} has" if class_names else "no class has"
        more = f" ({_reasons(rejected)})" if rejected else ""
        raise UserError(f"{what}: {few} usable pictures to train with, and a classifier needs two classes{more}.")
    given = {found.split for place in counts if (found := resolved[place]) and found.split}
    targets = _targets(resolved, layout.reasons, class_names, indexes, shares, given - {f.TRAIN})
    _check_no_split_is_empty(what, targets, indexes, given)
    return Plan(class_names, targets, rejected, len(ignored), notes)


def split_codes(index: Index, targets: Mapping[str | Place, Target | Rejection]) -> np.ndarray:
    """The split of each example of a scratch file: int8 [N], indices into SPLITS; -1 for none."""
    codes = np.full(len(index.hashes), -1, np.int8)
    for i, place in enumerate(index.places):
        target, here = targets[place], index.codes == i
        if isinstance(target, Target):
            given = None if target.split is None else f.SPLITS.index(target.split)
            by_hash = target.split in (None, f.TRAIN)
            codes[here] = splits.assign(index.hashes[here], target.cuts) if by_hash else given
    return codes


def _folders_of(path: str) -> Iterator[str]:
    """The folders that a file lies in, from the inner to the outer one."""
    while path := path.rpartition("/")[0]:
        yield text(path)


def _layout(what: str, filled: set[str], folders: Sequence[str], ignored: Sequence[str], empty: bool) -> Layout:
    """Of the folders that pictures lie in; of none where the source itself tells the classes."""
    if filled or folders or empty:
        return understand(filled, folders, what, ignored)
    return Layout({}, {}, [])


def _order(name: str) -> tuple[bool, float, str]:
    """Sorts classes whose names are numbers as numbers, before all others."""
    number = re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", name)
    return (False, float(name), name) if number else (True, 0.0, name)


def _alike(what: str, usable: set[str], trained: set[str | None]) -> Iterator[str]:
    """Tells classes whose names differ by case or spaces alone.

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
                    f"{what}: the classes {quoted} differ only in upper and lower case or spaces, and not all of them "
                    "have images to train with. Give one class one name in every split."
                )
            yield f"the classes {quoted} differ only in upper and lower case or spaces"


def _resolved(what: str, told: set[Place], results: Sequence[UnitResult]) -> dict[str | Place, Place | None]:
    """The classes that the source tells, numbers by the names that it gives them."""
    result: dict[str | Place, Place | None] = {}
    names = next((result.names for result in results if result.names is not None), None)
    numbers = [place.class_name for place in told if isinstance(place.class_name, int)]
    texts = [place.class_name for place in told if isinstance(place.class_name, str) and place.class_name]
    if numbers and texts:
        raise UserError(
            f"{what}: some records name their class by a number ({max(numbers)}), others by text ({min(texts)!r}). "
            "Let one feature name it in all of them: data.features.label."
        )
    width = len(str(max(numbers, default=0)))
    for place in told:
        name = place.class_name
        if isinstance(name, int) and names is not None:
            if name >= len(names):
                raise UserError(f"{what}: a label {name}, but names for {len(names)} classes. Download it anew.")
            name = names[name]
        result[place] = Place(place.split, f"{name:0{width}d}" if isinstance(name, int) else name)
    return result


def _targets(
    resolved: Mapping[str | Place, Place | None],
    reasons: Mapping[str, str],
    class_names: list[str],
    indexes: Sequence[Index],
    shares: Mapping[str, float],
    given: set[str],
) -> dict[str | Place, Target | Rejection]:
    pools: dict[str, list[np.ndarray]] = defaultdict(list)  # the pictures of each class that could go to train
    for index in indexes:
        for i, found in enumerate(index.places):
            if (place := resolved[found]) and place.split in (None, f.TRAIN):
                pools[str(place.class_name)].append(index.hashes[index.codes == i])
    cuts = {name: splits.cut(np.concatenate(pools[name]), shares, given) for name in class_names}
    targets: dict[str | Place, Target | Rejection] = {}
    for found, place in resolved.items():
        name = str(place.class_name) if place else None
        if place is None or name is None:
            targets[found] = Rejection("", reasons.get(str(found), "not in the folder of a class"), None)
        elif name not in cuts:
            targets[found] = Rejection("", "its class has no picture to train with", name)
        else:
            targets[found] = Target(class_names.index(name), name, place.split, cuts[name])
    return targets


def _check_no_split_is_empty(
    what: str, targets: Mapping[str | Place, Target | Rejection], indexes: Sequence[Index], given: set[str]
) -> None:
    filled = {int(code) for index in indexes for code in np.unique(split_codes(index, targets))}
    for code, split in enumerate(f.SPLITS):
        if code not in filled and split in given and split != f.TRAIN:
            raise UserError(f"{what}: no image of {split} is of a class that train has. Name their classes alike.")
        if code not in filled:
            raise UserError(
                f"{what}: too few pictures: none is left for {split}. Add pictures; a class needs at least 3."
            )


def _ignored_note(ignored: Sequence[str]) -> Iterator[str]:
    if ignored:
        files = "1 file that is not an image" if len(ignored) == 1 else f"{len(ignored):,} files that are not images"
        yield f"ignored {files} ({shown(ignored)})"


def _reasons(rejected: Sequence[Rejection]) -> str:
    counts = Counter(rejection.reason for rejection in rejected).most_common(3)
    return "; ".join(f"{count:,} × {reason}" for reason, count in counts)
