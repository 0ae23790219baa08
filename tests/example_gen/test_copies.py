"""Copies of images that the gate's action `drop` leaves out: which, why, and that no example of them is written."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from components.contracts import features as f
from components.contracts.findings import CONFLICTS, DUPLICATES, LEAKS
from components.errors import UserError
from components.example_gen import copies
from components.example_gen.copies import Cell
from components.example_gen.shuffle_files import DROPPED, Identity, Index
from tests.datasets import png
from tests.example_gen import datasets
from tests.example_gen.factories import saved

ALL = (LEAKS, CONFLICTS, DUPLICATES)
CONFLICT = "same pixels under more than one label"
DUPLICATE = "same pixels as another image of its class and split"
LEAK = "same pixels in test"


def image(seed: int) -> bytes:
    return png(datasets.pixels_of(seed))


def given_splits(**more: bytes) -> dict[str, bytes]:
    """Two classes in train and test, and more files, whose names have __ for /."""
    content = {
        **datasets.images_of({"cat": 20, "dog": 20}, "train/"),
        **datasets.images_of({"cat": 6, "dog": 6}, "test/"),
    }
    return content | {f"{name.replace('__', '/')}.png": raw for name, raw in more.items()}


def run(tmp_path: Path, content: Mapping[str, bytes | None], drop: Iterable[str] = ALL) -> datasets.Outcome:
    return datasets.run(datasets.folder(tmp_path / "pets", content), tmp_path / "out", drop=tuple(drop))


def written(outcome: datasets.Outcome) -> set[str]:
    names = [example[f.SOURCE].decode() for example in outcome.all]
    assert len(set(names)) == len(names)
    assert sum(map(len, outcome.splits.values())) == sum(sum(x.values()) for x in outcome.counts["splits"].values())
    return set(names)


def test_a_conflict_of_three_copies_in_two_splits_is_left_out_whole(tmp_path: Path) -> None:
    """It is a leak, too: one reason is given, and none of its copies is kept."""
    same = image(900)
    content = given_splits(train__cat__x=same, train__dog__y=same, test__cat__z=same)
    outcome = run(tmp_path, content)
    assert outcome.reasons() == dict.fromkeys(["train/cat/x.png", "train/dog/y.png", "test/cat/z.png"], CONFLICT)
    assert {line["source"]: line["same_as"] for line in outcome.rejected} == {
        "train/cat/x.png": "train/dog/y.png",
        "train/dog/y.png": "test/cat/z.png",
        "test/cat/z.png": "train/dog/y.png",
    }
    assert written(outcome) == set(content) - set(outcome.reasons())
    assert (outcome.counts["rejected"], outcome.counts["dropped"]) == (3, {CONFLICTS: 3})
    assert outcome.counts["notes"] == [
        "3 images were dropped: same pixels under more than one label (gate.conflicts), e.g. "
        "'test/cat/z.png' ('cat') = 'train/dog/y.png' ('dog'); 'train/cat/x.png' ('cat') = 'train/dog/y.png' ('dog')"
    ]


def test_a_conflict_that_is_not_to_be_dropped_is_left_to_the_gate(tmp_path: Path) -> None:
    """Its leak too: without the copy in train, the gate would not see that there are two labels."""
    same = image(900)
    content = given_splits(train__cat__x=same, train__cat__x2=same, test__dog__z=same)
    outcome = run(tmp_path, content, [LEAKS, DUPLICATES])
    assert outcome.reasons() == {"train/cat/x2.png": DUPLICATE}
    assert written(outcome) == set(content) - {"train/cat/x2.png"}


def test_of_a_leak_the_test_split_stays_as_given(tmp_path: Path) -> None:
    content = given_splits(test__cat__a=image(900), train__cat__a=image(900), train__cat__b=image(900))
    content |= {"val/cat/c.png": image(900), "val/cat/d.png": image(901), "train/cat/e.png": image(901)}
    content |= {f"val/{name}/{i}.png": image(910 + i) for i, name in enumerate(("cat", "dog"))}
    outcome = run(tmp_path, content)
    assert outcome.reasons() == {
        "train/cat/a.png": LEAK,
        "train/cat/b.png": LEAK,
        "val/cat/c.png": LEAK,
        "train/cat/e.png": "same pixels in validation",
    }
    assert written(outcome) == set(content) - set(outcome.reasons())
    assert len(outcome.splits[f.TEST]) == 13
    assert outcome.counts["dropped"] == {LEAKS: 4}
    assert outcome.counts["notes"] == [
        "3 images were dropped: same pixels in test (gate.leaks), e.g. 'train/cat/a.png' ('cat') = 'test/cat/a.png' "
        "('cat'); 'train/cat/b.png' ('cat') = 'test/cat/a.png' ('cat'); 'val/cat/c.png' ('cat') = 'test/cat/a.png' "
        "('cat')",
        "1 image was dropped: same pixels in validation (gate.leaks), e.g. 'train/cat/e.png' ('cat') = "
        "'val/cat/d.png' ('cat')",
    ]


def test_of_duplicates_the_one_with_the_shortest_name_is_kept(tmp_path: Path) -> None:
    """Whatever the order of the files, and however each is encoded."""
    pixels = Image.fromarray(datasets.pixels_of(900))
    content = datasets.images_of({"cat": 9, "dog": 9})
    content |= {"cat/x (1).bmp": saved(pixels, "BMP"), "cat/y.webp": saved(pixels, "WEBP", lossless=True)}
    content |= {"cat/x.png": png(datasets.pixels_of(900))}
    outcome = run(tmp_path, content)
    assert outcome.reasons() == {"cat/x (1).bmp": DUPLICATE, "cat/y.webp": DUPLICATE}
    assert {line["same_as"] for line in outcome.rejected} == {"cat/x.png"}
    backwards = datasets.run(
        datasets.tar(tmp_path / "pets.tar", dict(reversed(content.items()))), tmp_path / "b" / "out", drop=ALL
    )
    assert backwards.rejected == outcome.rejected
    for split in f.SPLITS:
        assert datasets.without_source(backwards.splits[split]) == datasets.without_source(outcome.splits[split])


def test_splits_are_cut_of_what_is_left(tmp_path: Path) -> None:
    """A class of three images and a conflict has one for each split: the conflict takes the place of none."""
    content = datasets.images_of({"cat": 3, "dog": 30}) | {"cat/x.png": image(900), "dog/y.png": image(900)}
    outcome = run(tmp_path, content)
    assert {split: counts["cat"] for split, counts in outcome.counts["splits"].items()} == dict.fromkeys(f.SPLITS, 1)


@pytest.mark.slow
def test_many_shuffle_files_and_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies in different shuffle files of different units: the same is written, byte for byte of each example."""
    from components.example_gen import shuffle_files
    from components.example_gen.formats import base

    content = datasets.digit_files(200)
    again = list(content.items())[::7]
    content |= {f"{name.split('/')[0]}/copy-{i}.png": raw for i, (name, raw) in enumerate(again)}
    content |= {f"{(int(name[0]) + 1) % 10}/other-{i}.png": raw for i, (name, raw) in enumerate(again[::5])}
    root = datasets.folder(tmp_path / "pets", content)
    whole = datasets.run(root, tmp_path / "a" / "out", drop=ALL)
    assert whole.counts["dropped"] == {CONFLICTS: 18, DUPLICATES: 23}
    monkeypatch.setattr(base, "_FILES_IN_UNIT", 30)
    monkeypatch.setattr(shuffle_files, "_FILE_BYTES", 3000)
    monkeypatch.setattr(shuffle_files, "_FLUSH_BYTES", 500)
    parts = datasets.run(root, tmp_path / "b" / "out", drop=ALL)
    assert len(list((parts.uri / "Split-train").iterdir())) > 3
    assert parts.rejected == whole.rejected
    assert parts.counts == whole.counts
    for split in f.SPLITS:
        few, many = ({row[f.SOURCE]: row for row in each.splits[split]} for each in (whole, parts))
        assert many == few


def test_nothing_is_dropped_where_nothing_is_asked_for(tmp_path: Path) -> None:
    content = given_splits(train__cat__x=image(900), train__dog__y=image(900), test__cat__z=image(900))
    outcome = run(tmp_path, content, [])
    assert written(outcome) == set(content)
    assert (outcome.rejected, outcome.counts["dropped"], outcome.counts["notes"]) == ([], {}, [])


def test_a_class_without_a_training_image_afterwards_is_named(tmp_path: Path) -> None:
    content = given_splits(train__emu__x=image(900), train__cat__x=image(900), test__emu__y=image(901))
    outcome = run(tmp_path, content)
    assert outcome.counts["class_names"] == ["cat", "dog"]
    assert outcome.reasons() == {
        "train/emu/x.png": CONFLICT,
        "train/cat/x.png": CONFLICT,
        "test/emu/y.png": "its class has no image to train with",
    }
    assert outcome.counts["notes"][-1] == "the class 'emu' is left out: all its images of train were dropped"


def test_a_split_without_an_image_afterwards_is_cut_out_of_train_and_named(tmp_path: Path) -> None:
    content = datasets.images_of({"cat": 20, "dog": 20}, "train/") | datasets.images_of({"cat": 5, "dog": 5}, "test/")
    content |= {name.replace("test/", "val/"): raw for name, raw in content.items() if name.startswith("test/")}
    outcome = run(tmp_path, content)
    assert outcome.counts["dropped"] == {LEAKS: 10}
    assert {split: len(rows) for split, rows in outcome.splits.items()} == {"train": 36, "validation": 4, "test": 10}
    assert outcome.counts["notes"][-1] == "all images of validation were dropped: it is cut out of train"


MISTAKES = {
    "all alike": (
        {f"{name}/{i}.png": image(1) for name in ("cat", "dog") for i in range(5)},
        "none of its 10 images can be used (10 × same pixels under more than one label).",
    ),
    "alike in each class": (
        {f"{name}/{i}.png": image(len(name)) for name in ("cat", "horse") for i in range(5)},
        "too few images: none is left for validation (8 × same pixels as another image of its class and split). Add "
        "images; a class needs at least 3.",
    ),
    "train is test": (
        {
            f"{split}/{name}": raw
            for split in ("train", "test")
            for name, raw in datasets.images_of({"cat": 5, "dog": 5}).items()
        },
        "no class has usable images to train with, and a classifier needs two classes (10 × same pixels in test",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_too_little_afterwards_is_one_clear_line(tmp_path: Path, kind: str) -> None:
    content, message = MISTAKES[kind]
    with pytest.raises(UserError) as caught:
        run(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path / 'pets'}: {message}")
    assert "\n" not in str(caught.value)


def test_hostile_names_stay_on_one_line(tmp_path: Path) -> None:
    content = datasets.images_of({"cat": 5, "dog": 5}) | {"cat/a\nb.png": image(99), "dog/\u202egnp.png": image(99)}
    outcome = run(tmp_path, content)
    (note,) = outcome.counts["notes"]
    assert note.isprintable()
    assert {line["source"] for line in outcome.rejected} == {"cat/a\nb.png", "dog/\u202egnp.png"}


cells = st.tuples(st.sampled_from(f.SPLITS), st.sampled_from(["cat", "dog"]), st.integers(0, 3))


@given(st.lists(cells, max_size=12), st.sets(st.sampled_from(ALL)), st.randoms())
def test_what_is_left_holds_no_finding_that_is_dropped(
    rows: list[tuple[str, str, int]], kinds: set[str], shuffle: random.Random
) -> None:
    """In any order of the images, and in any number of shuffle files, the same images are left."""

    def left(order: list[int], files: int) -> set[int]:
        parts = [order[i::files] for i in range(files)]
        groups = sorted({Cell(split, name) for split, name, _ in rows})
        indexes = [
            Index(
                np.array([rows[i][2] for i in part], np.uint64),
                np.full(len(part), 9, np.int64),
                np.array([groups.index(Cell(*rows[i][:2])) for i in part], np.int32),
                groups,  # type: ignore[arg-type]
            )
            for part in parts
            if part
        ]
        parts = [part for part in parts if part]

        def identify(file: int, numbers: np.ndarray) -> list[Identity]:
            return [Identity(b"%d" % rows[parts[file][i]][2], f"{parts[file][i]}.png") for i in numbers]

        now, dropped = copies.drop(indexes, {group: group for group in groups}, kinds, identify)  # type: ignore[misc]
        kept = {part[i] for part, index in zip(parts, now) for i in np.flatnonzero(index.codes != DROPPED)}
        assert len(dropped) == len(rows) - len(kept)
        return kept

    order = list(range(len(rows)))
    kept = left(order, 1)
    shuffle.shuffle(order)
    assert left(order, 3) == kept
    for pixels in {row[2] for row in rows}:
        same = [rows[i] for i in kept if rows[i][2] == pixels]
        is_conflict = len({name for _, name, each in rows if each == pixels}) > 1
        if CONFLICTS in kinds:
            assert len({name for _, name, _ in same}) <= 1
        if DUPLICATES in kinds:
            assert len(set(same)) == len(same)
        if LEAKS in kinds and not is_conflict:
            assert len({split for split, _, _ in same}) <= 1
