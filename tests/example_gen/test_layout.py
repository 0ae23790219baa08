"""Folders to splits and classes, on disk and in archives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import UserError
from components.example_gen.layout import Place, places


def found(*filled: str, empty: tuple[str, ...] = ()) -> dict[str, Place | None]:
    return places(set(filled), set(empty), "pets")


def test_plain_classes() -> None:
    assert found("cat", "dog") == {"cat": Place(None, "cat"), "dog": Place(None, "dog")}


@pytest.mark.parametrize("top", ["", "pets/", "a/b/"])
@pytest.mark.parametrize("validation", ["validation", "val", "valid", "Val"])
def test_given_splits(top: str, validation: str) -> None:
    layout = found(*(f"{top}{split}/{name}" for split in ("train", validation, "Test") for name in ("cat", "dog")))
    assert layout[f"{top}train/cat"] == Place("train", "cat")
    assert layout[f"{top}{validation}/dog"] == Place("validation", "dog")
    assert layout[f"{top}Test/dog"] == Place("test", "dog")


def test_train_and_validation_alone_and_train_alone() -> None:
    assert found("train/a", "train/b", "val/a")["val/a"] == Place("validation", "a")
    assert found("train/a", "train/b")["train/a"] == Place("train", "a")


def test_classes_that_are_named_like_splits() -> None:
    assert found("train", "car", "test")["train"] == Place(None, "train")
    assert found("train/steam", "car")["train/steam"] == Place(None, "train")


def test_folders_below_a_class_belong_to_it() -> None:
    assert found("cat/siamese/young", "dog")["cat/siamese/young"] == Place(None, "cat")
    assert found("train/cat/1", "train/dog", "test/cat/2")["test/cat/2"] == Place("test", "cat")


def test_what_is_in_no_class() -> None:
    assert found("", "pets", "pets/cat", "pets/dog") == {
        "": None, "pets": None, "pets/cat": Place(None, "cat"), "pets/dog": Place(None, "dog"),
    }  # fmt: skip
    layout = found("train", "train/a", "train/b", "test/a", "notes")
    assert layout["train"] is layout["notes"] is None


def test_an_empty_class_has_a_place() -> None:
    assert found("cat", "dog", empty=("emu",))["emu"] == Place(None, "emu")
    assert found("train/cat", "train/dog", "test/cat", empty=("train", "train/emu"))["train/emu"] == Place(
        "train", "emu"
    )


def test_one_name_in_two_unicode_forms_is_one_class() -> None:
    layout = found("train/cafe\u0301", "test/caf\u00e9", "train/b", "test/b")
    assert layout["train/cafe\u0301"] == Place("train", "caf\u00e9")
    assert layout["test/caf\u00e9"] == Place("test", "caf\u00e9")


def test_names_that_are_not_utf8() -> None:
    assert found("caf\udce9", "b")["caf\udce9"] == Place(None, "caf\\xe9")


@pytest.mark.parametrize(
    ("filled", "message"),
    [
        ((), "pets: no pictures in it"),
        (("",), "pets: pictures but no class folders"),
        (("train", "test"), None),
        (("cat",), "pets: pictures but no class folders|pets: only one class, 'cat'"),
        (("train/cat", "test/cat"), "pets: only one class, 'cat'"),
        (("", "cat"), "pets: only one class, 'cat'"),
    ],
)
def test_mistakes(filled: tuple[str, ...], message: str | None) -> None:
    if message is None:
        found(*filled)
        return
    with pytest.raises(UserError, match=message):
        found(*filled)


NAMES = st.text(st.characters(blacklist_characters="/\0"), min_size=1, max_size=5).filter(
    lambda x: x not in (".", "..")
)


@given(st.sets(st.lists(NAMES | st.sampled_from(["train", "test", "val"]), max_size=4).map("/".join), max_size=8))
def test_any_folders_are_placed_or_refused_in_one_line(filled: set[str]) -> None:
    try:
        layout = places(filled, set(), "pets")
    except UserError:
        return
    assert set(layout) == filled
    assert len({place.class_name for place in layout.values() if place}) >= 2
