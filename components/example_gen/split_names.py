"""The split that a folder or a TFRecord file is named after: the words that people use for each.

`Training`, `TRAIN`, `train_set`, `test-images`, `val2017`, `dev`, `holdout`, `trainval`: case, numbers, separators and
words that only say that there are images do not matter.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from components.contracts.features import TEST, TRAIN, VALIDATION
from components.errors import UserError
from components.files import listed

_EVALUATION = "evaluation"  # the test split, or validation where there is a test split beside it

_WORDS = {
    **dict.fromkeys(("train", "training", "trainval", "trn"), TRAIN),
    **dict.fromkeys(("validation", "val", "valid", "validate", "validating", "dev", "minival"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tests", "tst", "holdout", "heldout"), TEST),
    **dict.fromkeys(("eval", "evaluation", "evaluate"), _EVALUATION),
}
_FILLERS = (
    "datasets?|data|sets?|images?|imgs?|jpe?gs?|pngs?|pics?|pictures?|photos?|splits?|folder|dir|files?|samples?|"
    "examples?|(?:un)?labell?ed|records?|tfrecords?|tfrec|shards?|parts?|px|x"
)
_FILLER = re.compile(_FILLERS)
_JOINED = re.compile(rf"({'|'.join(sorted(_WORDS, key=len, reverse=True))})(?:{_FILLERS})")  # trainset, testimages


_SHARD = re.compile(r"-(\d{5})-of-(\d{5})")


class Named(NamedTuple):
    """The splits that a name tells."""

    split: str | None  # None where it names none, or more than one
    rest: str  # the other words, without those that are usual beside a split's
    several: bool = False  # it names more than one


def named(name: str, common: frozenset[str] = frozenset()) -> Named:
    """Return the split in a folder's or a file's name; words in `common` are ignored."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold()
    spaced = re.sub(r"(hold|held)[\W_]+out\b", "holdout", spaced)
    spaced = re.sub(r"^\s*[a-z][.)]", "", spaced)  # as in "a. Training Set"
    words = [word for word in re.findall(r"[^\W\d_]+|\d+", spaced) if word not in common]
    splits, rest = set(), []
    for word in words:
        joined = _JOINED.fullmatch(word)
        split = _WORDS.get(joined[1] if joined else word)
        if split:
            splits.add(split)
        elif not (word.isdigit() or _FILLER.fullmatch(word)):
            rest.append(word)
    if splits == {TRAIN, VALIDATION}:  # both in one: validation is cut out of it
        splits = {TRAIN}
    return Named(splits.pop() if len(splits) == 1 else None, " ".join(rest), len(splits) > 1)


def settled(splits: Mapping[str, str]) -> dict[str, str]:
    """Resolve the splits that folders are named after: `eval` depends on whether there is a test split beside it."""
    evaluation = VALIDATION if TEST in splits.values() else TEST
    return {name: evaluation if split == _EVALUATION else split for name, split in splits.items()}


def of_files(names: Sequence[str], title: str) -> dict[str, str | None]:
    """Return the split of each data file by its folders' names or its own; None for all if no name gives one.

    Words and folders that all of them have are the data set's name, unless nothing else tells the splits.

    Raises:
      UserError: some tell one and others do not, one tells two, or none of them is train.
    """
    if len(names) < 2:
        return dict.fromkeys(names)
    paths = {name: tuple(name.split("/")) for name in names}
    around = len(
        [folder for folder in os.path.commonpath([f"/{os.path.dirname(n)}" for n in names]).split("/") if folder]
    )
    named_splits = _splits_in({name: path[around:] for name, path in paths.items()}, _common(paths.values()))
    if not any(named_splits.values()):  # of all of them, what their names have in common
        named_splits = _splits_in({name: (*_sure(path[:-1]), path[-1]) for name, path in paths.items()}, frozenset())
    if not any(named_splits.values()):
        return dict.fromkeys(names)
    if two := [name for name, splits in named_splits.items() if len(splits) > 1]:
        raise UserError(
            f"{title}: the name of {listed(two)} gives more than one split. "
            "Let one of train, validation and test stand in each file's name, or in that of its folder."
        )
    if without := [name for name, splits in named_splits.items() if not splits]:
        telling = [name for name, splits in named_splits.items() if splits]
        raise UserError(
            f"{title}: the names of {listed(telling)} give a split, and {listed(without)} gives none. "
            "Put train, validation or test into the name of each file, or give the files that belong together."
        )
    result = settled({name: splits.pop() for name, splits in named_splits.items()})
    if TRAIN not in result.values():
        raise UserError(
            f"{title}: by their names, its files are all for {' and '.join(sorted(set(result.values())))} "
            f"({listed(names)}); none is for train. Give the files for train as well, or rename these."
        )
    return dict(result)


def of_values(values: Iterable[str], title: str) -> dict[str, str]:
    """Return the split of each value of a column; none at all if no value names one: the column is for something else.

    Raises:
      UserError: some values name a split and others do not, or none names train.
    """
    splits = {value: named(value).split for value in sorted(set(values))}
    if not any(splits.values()):
        return {}
    if without := [value for value, split in splits.items() if not split]:
        telling = [value for value, split in splits.items() if split]
        raise UserError(
            f"{title}: in its column for the split, {listed(telling)} name one and {listed(without)} names none. "
            "Let it hold train, validation and test, or give the column another name."
        )
    result = settled({value: split for value, split in splits.items() if split})
    if TRAIN not in result.values():
        raise UserError(
            f"{title}: by its column for the split, its rows are all for "
            f"{' and '.join(sorted(set(result.values())))} ({listed(list(splits))}); none is for train."
        )
    return result


def missing_shards(names: Iterable[str]) -> Iterator[str]:
    """Yield a line on shards (…-00000-of-00005) that are missing by their numbers."""
    sets: dict[tuple[str, str, str], set[int]] = defaultdict(set)  # numbers, by what is before and behind them
    for name in names:
        if shard := _SHARD.search(name):
            sets[name[: shard.start()], shard[2], name[shard.end() :]].add(int(shard[1]))
    for (before, total, behind), numbers in sets.items():
        if missing := sorted(set(range(int(total))) - numbers):
            absent = [f"{before}-{number:05d}-of-{total}{behind}" for number in missing]
            yield f"{len(absent):,} of {int(total):,} shards are missing ({listed(absent)})"


def _splits_in(paths: Mapping[str, Sequence[str]], common: frozenset[str]) -> dict[str, set[str]]:
    """Return the splits in the names of each path's folders and file."""
    splits: dict[str, set[str]] = {}
    for name, (*folders, file) in paths.items():
        own = named(_stem(file), common)
        splits[name] = {folder.split for folder in map(named, folders) if folder.split}
        splits[name] |= {TRAIN, TEST} if own.several else {own.split} if own.split else set()
    return splits


def _sure(folders: Sequence[str]) -> Iterator[str]:
    return (folder for folder in folders if not named(folder).rest)


def _common(paths: Iterable[Sequence[str]]) -> frozenset[str]:
    words = [set(re.findall(r"[^\W\d_]+", _stem(file).casefold())) for *_, file in paths]
    return frozenset(set.intersection(*words))


def _stem(name: str) -> str:
    """Return a file's name without its ending and its shard number, which give no split."""
    return re.sub(r"(\.gz|-\d{5}-of-\d{5})+$", "", name)
