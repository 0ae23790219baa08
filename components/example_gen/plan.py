"""Between the two passes: which pictures become which class's and which split's examples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from components import features as f
from components.errors import UserError
from components.example_gen import splits
from components.example_gen.layout import Place, places
from components.example_gen.readers import Inventory
from components.example_gen.spool import Index, UnitResult
from components.files import shown, text


class Target(NamedTuple):
    """Where the pictures of one place go: to `split`, or where that is None by `cuts`."""

    label: int
    class_name: str
    split: str | None
    cuts: splits.Cut


class Rejection(NamedTuple):
    source: str
    reason: str
    class_name: str | None


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
    resolved = _resolved(what, {*counts, *(place for *_, place in rejects)}, inventory.folders, results)

    def name_of(place: str | Place) -> str | None:
        found = resolved.get(place)
        return str(found.class_name) if found and found.class_name != "" else None

    rejected = [Rejection(source, reason, name_of(place)) for source, reason, place in rejects]
    if not counts:
        raise UserError(f"{what}: none of its {len(rejects):,} files can be used ({_reasons(rejected)}).")
    usable = {name for place in counts if (name := name_of(place)) is not None}
    trained = {name_of(place) for place in counts if (found := resolved[place]) and found.split in (None, f.TRAIN)}
    for name in sorted({name for place in resolved if (name := name_of(place)) is not None} - usable):
        lying = [text(place) for place in resolved if isinstance(place, str) and name_of(place) == name]
        rejected.append(Rejection(min(lying, default=what), "the class has no usable picture", name))
    class_names = sorted(usable & trained)
    if len(class_names) < 2:
        few = f"only {class_names[0]!r} has" if class_names else "no class has"
        more = f" ({_reasons(rejected)})" if rejected else ""
        raise UserError(f"{what}: {few} usable pictures to train with, and a classifier needs two classes{more}.")
    targets = _targets(resolved, class_names, indexes, shares)
    _check_no_split_is_empty(what, targets, indexes)
    ignored = sorted(inventory.ignored)
    return Plan(class_names, targets, rejected, len(ignored), list(_ignored_note(ignored)))


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


def _resolved(
    what: str, found: set[str | Place], folders: Sequence[str], results: Sequence[UnitResult]
) -> dict[str | Place, Place | None]:
    """The place of every place as found: folders by their layout, numbers by the names that the source gives them."""
    result: dict[str | Place, Place | None] = {}
    lying = {place for place in found if isinstance(place, str)}
    if lying or folders or not found:
        result.update(places(lying, folders, what))
    told = [place for place in found if isinstance(place, Place)]
    names = next((result.names for result in results if result.names is not None), None)
    numbers = [place.class_name for place in told if isinstance(place.class_name, int)]
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
    class_names: list[str],
    indexes: Sequence[Index],
    shares: Mapping[str, float],
) -> dict[str | Place, Target | Rejection]:
    given = {place.split for place in resolved.values() if place and place.split}
    pools: dict[str, list[np.ndarray]] = defaultdict(list)  # the pictures of each class that could go to train
    for index in indexes:
        for i, found in enumerate(index.places):
            if (place := resolved[found]) and place.split in (None, f.TRAIN):
                pools[str(place.class_name)].append(index.hashes[index.codes == i])
    cuts = {name: splits.cut(np.concatenate(pools[name]), shares, given - {f.TRAIN}) for name in class_names}
    targets: dict[str | Place, Target | Rejection] = {}
    for found, place in resolved.items():
        name = str(place.class_name) if place else None
        if place is None or name is None:
            targets[found] = Rejection("", "not in the folder of a class", None)
        elif name not in cuts:
            targets[found] = Rejection("", "its class has no picture to train with", name)
        else:
            targets[found] = Target(class_names.index(name), name, place.split, cuts[name])
    return targets


def _check_no_split_is_empty(
    what: str, targets: Mapping[str | Place, Target | Rejection], indexes: Sequence[Index]
) -> None:
    filled = {int(code) for index in indexes for code in np.unique(split_codes(index, targets))}
    for code, split in enumerate(f.SPLITS):
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
