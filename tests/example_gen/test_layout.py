"""Folders to splits and classes, on disk and in archives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import UserError
from components.example_gen import split_names
from components.example_gen.layout import Layout, SplitAndClass, locate_folders


def layout_of(*filled: str, empty: tuple[str, ...] = ()) -> Layout:
    return locate_folders(set(filled), set(empty), "pets")


def found(*filled: str, empty: tuple[str, ...] = ()) -> dict[str, SplitAndClass | None]:
    return layout_of(*filled, empty=empty).folders


def tree(*tops: str, classes: tuple[str, ...] = ("cat", "dog")) -> tuple[str, ...]:
    return tuple(f"{top}/{name}" for top in tops for name in classes)


def splits_of(*tops: str) -> dict[str, str | None]:
    """Return the split of each top folder with class folders in it; nothing else may come of them."""
    places = found(*tree(*tops))
    assert {place.class_name for place in places.values() if place} == {"cat", "dog"}
    return {top: place.split if (place := places[f"{top}/cat"]) else None for top in tops}


def test_plain_classes() -> None:
    assert found("cat", "dog") == {"cat": SplitAndClass(None, "cat"), "dog": SplitAndClass(None, "dog")}


@pytest.mark.parametrize("top", ["", "pets/", "a/b/"])
@pytest.mark.parametrize("validation", ["validation", "val", "valid", "Val"])
def test_given_splits(top: str, validation: str) -> None:
    layout = found(*(f"{top}{split}/{name}" for split in ("train", validation, "Test") for name in ("cat", "dog")))
    assert layout[f"{top}train/cat"] == SplitAndClass("train", "cat")
    assert layout[f"{top}{validation}/dog"] == SplitAndClass("validation", "dog")
    assert layout[f"{top}Test/dog"] == SplitAndClass("test", "dog")


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("Training", "Testing", "test"),
        ("TRAIN", "TEST", "test"),
        ("train_set", "test_set", "test"),
        ("train-images", "test-images", "test"),
        ("TrainImages", "ValImages", "validation"),
        ("trainset", "testset", "test"),
        ("train2017", "val2017", "validation"),
        ("1_train", "2_dev", "validation"),
        ("seg_train", "seg_test", "test"),
        ("pets train", "pets holdout", "test"),
        ("train", "hold-out", "test"),
        ("train", "eval", "test"),
        ("trainval", "test", "test"),
        ("train_val", "test", "test"),
        ("train_224x224", "test_224x224", "test"),
        ("train_augmented", "test", "test"),
        ("a. Training Set", "b. Testing Set", "test"),
    ],
)
def test_the_names_that_people_use(train: str, other: str, split: str) -> None:
    assert splits_of(train, other) == {train: "train", other: split}


def test_eval_beside_test_is_validation() -> None:
    assert splits_of("train", "eval", "test") == {"train": "train", "eval": "validation", "test": "test"}


def test_a_split_named_twice_over_and_folders_within_each() -> None:
    layout = found(*tree("seg_train/seg_train", "seg_test/seg_test"), "seg_pred/seg_pred")
    assert layout["seg_train/seg_train/cat"] == SplitAndClass("train", "cat")
    assert layout["seg_test/seg_test/dog"] == SplitAndClass("test", "dog")
    assert layout["seg_pred/seg_pred"] is None
    assert found(*tree("train/images", "test/images"))["test/images/dog"] == SplitAndClass("test", "dog")
    assert found(*tree("train/train", "train/val"))["train/val/dog"] == SplitAndClass("validation", "dog")


def test_train_and_validation_alone_and_train_alone() -> None:
    assert found("train/a", "train/b", "val/a")["val/a"] == SplitAndClass("validation", "a")
    assert found("train/a", "train/b")["train/a"] == SplitAndClass("train", "a")


def test_the_split_below_the_class() -> None:
    layout = found(*tree("cat", "dog", classes=("train", "test")))
    assert (layout["cat/train"], layout["dog/test"]) == (SplitAndClass("train", "cat"), SplitAndClass("test", "dog"))
    with pytest.raises(UserError, match=r"some class folders hold folders for splits .*and emu/ is in none of them"):
        found(*tree("cat", "dog", classes=("train", "test")), "emu")


def test_classes_that_are_named_like_splits() -> None:
    layout = layout_of("bus", "car", "train")
    assert layout.folders["train"] == SplitAndClass(None, "train")
    assert layout.notes == ["train/ is read as a class, because it is beside bus/, car/; if it is a split, move it"]
    assert found("train/steam", "car")["train/steam"] == SplitAndClass(None, "train")
    assert found("train_station", "test_tube", "museum")["test_tube"] == SplitAndClass(None, "test_tube")
    assert found("valid", "invalid")["valid"] == SplitAndClass(None, "valid")
    assert found(*tree("train", "car", classes=("big",)))["car/big"] == SplitAndClass(None, "car")


def test_parts_of_a_set_are_doubted() -> None:
    assert layout_of("HAM_images_part_1", "HAM_images_part_2").notes == [
        "HAM_images_part_1/, HAM_images_part_2/ are read as classes; "
        "if they are parts of one set, sort their images by class"
    ]
    assert layout_of("class 1", "class 2").notes == []


@pytest.mark.parametrize(
    ("filled", "message"),
    [
        (("train", "test"), "the images of test/, train/ lie in no class folders. .* into train/<class>/"),
        (("train", "test", "car"), "the images of test/, train/ lie in no class folders"),
        (("train/train", "test/test"), "the images of test/, train/ lie in no class folders"),
        (tree("val", "test"), "there are images for test and validation .*and none for train"),
        (tree("test"), "there are images for test .*and none for train"),
        ((*tree("train"), "more"), "which are the classes?"),
        ((*tree("train"), *tree("extra")), "which are the classes?"),
        (("cat", "dog", *tree("test")), "which are the classes?"),
        (("a/train/cat", "a/train/dog", "a/test/cat", "b/train/cat", "b/test/cat"), "which are the classes?"),
        (tree("winter_train", "spring_test"), "which are the classes?"),
        (("cat_train", "cat_test", "dog_train", "dog_test"), "named by class and split at once"),
        (("images", "masks"), "are parts of one data set, not classes"),
        (tree("images", "masks"), "are parts of one data set, not classes"),
        (("images",), "images but no class folders"),
    ],
)
def test_splits_and_parts_are_never_classes(filled: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=f"pets: .*{message}") as caught:
        found(*filled)
    assert "\n" not in str(caught.value)


def test_folders_below_a_class_belong_to_it_and_that_is_said() -> None:
    layout = layout_of("cat/siamese/young", "dog")
    assert layout.folders["cat/siamese/young"] == SplitAndClass(None, "cat")
    assert layout.notes == [
        "the class is the upper folder: cat; the images of cat/siamese/young are its own, "
        "and the names of the folders within it do not count"
    ]
    assert found("train/cat/1", "train/dog", "test/cat/2")["test/cat/2"] == SplitAndClass("test", "cat")
    assert layout_of("train/cat/1", "train/dog").notes[0].startswith("the class is the upper folder: cat")
    assert layout_of(*tree("train", "test")).notes == []


def test_what_is_in_no_class() -> None:
    assert found("", "pets", "pets/cat", "pets/dog") == {
        "": None, "pets": None, "pets/cat": SplitAndClass(None, "cat"), "pets/dog": SplitAndClass(None, "dog"),
    }  # fmt: skip
    layout = layout_of("train", "train/a", "train/b", "test/a", "notes")
    assert layout.folders["train"] is layout.folders["notes"] is None
    assert layout.reasons == {
        "train": "not in the folder of a class: directly in train/",
        "notes": "not in the folder of a class: beside test/, train/",
    }


def test_a_test_folder_without_classes_gives_no_split() -> None:
    layout = layout_of(*tree("train"), "test")
    assert layout.folders["train/cat"] == SplitAndClass("train", "cat")
    assert layout.reasons["test"] == "not in the folder of a class: directly in test/"


def test_an_empty_class_has_a_place() -> None:
    assert found("cat", "dog", empty=("emu",))["emu"] == SplitAndClass(None, "emu")
    assert found("train/cat", "train/dog", "test/cat", empty=("train", "train/emu"))["train/emu"] == SplitAndClass(
        "train", "emu"
    )
    # A folder beside the only one that images lie in is no class.
    assert found(*tree("images"), empty=("annotations", "annotations/emu"))["annotations/emu"] is None


def test_one_name_in_two_unicode_forms_is_one_class() -> None:
    layout = found("train/cafe\u0301", "test/caf\u00e9", "train/b", "test/b")
    assert layout["train/cafe\u0301"] == SplitAndClass("train", "caf\u00e9")
    assert layout["test/caf\u00e9"] == SplitAndClass("test", "caf\u00e9")


def test_names_that_are_not_utf8() -> None:
    assert found("caf\udce9", "b")["caf\udce9"] == SplitAndClass(None, "caf\\xe9")


@pytest.mark.parametrize(
    ("filled", "message"),
    [
        ((), "pets: no images in it"),
        (("",), "pets: images but no class folders"),
        (("cat",), "pets: only one class, 'cat'"),
        (("train/cat", "test/cat"), "pets: only one class, 'cat'"),
        (("", "cat"), "pets: only one class, 'cat'"),
    ],
)
def test_mistakes(filled: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        found(*filled)


def test_a_file_of_labels_is_named_where_there_are_no_class_folders() -> None:
    with pytest.raises(UserError, match=r"labels in labels\.csv are not read; give labels\.csv itself"):
        locate_folders({"images"}, {"images"}, "pets", ["labels.csv"])


@pytest.mark.parametrize(
    "name", ["trains", "trainer", "latest", "contest", "vale", "devil", "set", "2017", "", "évaluer"]
)
def test_words_that_are_no_splits(name: str) -> None:
    assert split_names.named(name).split is None


NAMES = st.text(st.characters(blacklist_characters="/\0"), min_size=1, max_size=5).filter(
    lambda x: x not in (".", "..")
)


@given(
    st.sets(
        st.lists(NAMES | st.sampled_from(["train", "test", "val", "a_train", "a_test"]), max_size=4).map("/".join),
        max_size=8,
    )
)
def test_any_folders_are_placed_or_refused_in_one_line(filled: set[str]) -> None:
    try:
        layout = locate_folders(filled, set(), "pets").folders
    except UserError:
        return
    assert set(layout) == filled
    assert len({place.class_name for place in layout.values() if place}) >= 2
