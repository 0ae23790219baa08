"""ImageExampleGen's executor on every kind of source: the data contract, splits, rejects, and each mistake's line."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.contracts import features as f
from components.contracts.rejects import REJECTED_FILE
from components.errors import UserError
from components.example_gen import images, measures
from tests.datasets import digit_images, png
from tests.example_gen import datasets
from tests.example_gen.factories import encoded_anew, kept, photo, saved, scene, stripped, turned

CONTRACT = {
    f.IMAGE: bytes, f.LABEL: int, f.CLASS_NAME: bytes, f.SOURCE: bytes, f.PIXELS_SHA256: bytes, f.HEIGHT: int,
    f.WIDTH: int, f.CHANNELS: int, f.NUM_BYTES: int, f.BRIGHTNESS: float, f.CONTRAST: float, f.SHARPNESS: float,
    f.COLOURFULNESS: float,
}  # fmt: skip


def check_contract(outcome: datasets.Outcome) -> None:
    """Every example has every feature, true to its image; counts agree with what is there."""
    for example in outcome.all:
        is_reduced = f.ORIGINAL_SHA256 in example
        assert {name: type(value) for name, value in example.items() if name != f.ORIGINAL_SHA256} == CONTRACT
        image = images.read(example[f.IMAGE], 10**7, 10**7)
        height, width = (example[f.HEIGHT], example[f.WIDTH]) if is_reduced else image.size
        digest = hashlib.sha256(b"%d %d " % (height, width) + image.pixels.tobytes()).hexdigest()
        assert example[f.PIXELS_SHA256] == digest.encode()
        assert (example[f.HEIGHT], example[f.WIDTH], example[f.NUM_BYTES]) == (height, width, len(example[f.IMAGE]))
        statistics = [example[name] for name in (f.BRIGHTNESS, f.CONTRAST, f.SHARPNESS, f.COLOURFULNESS)]
        measured = measures.measured(image.pixels)
        assert np.array_equal(statistics, measures.statistics(measured[None])[0].astype(np.float32))
        assert example[f.CLASS_NAME].decode() == outcome.counts["class_names"][example[f.LABEL]]
    for split, examples in outcome.splits.items():
        per_class = Counter(example[f.CLASS_NAME].decode() for example in examples)
        assert {name: count for name, count in outcome.counts["splits"][split].items() if count} == per_class
        assert examples
    assert outcome.counts["rejected"] == len(outcome.rejected)


@pytest.mark.slow
def test_digits(tmp_path: Path) -> None:
    outcome = datasets.run("digits", tmp_path / "out")
    check_contract(outcome)
    assert {split: len(examples) for split, examples in outcome.splits.items()} == {
        "train": 1438,
        "validation": 180,
        "test": 179,
    }
    pixels, labels = digit_images()
    for example in outcome.all:
        row = int(example[f.SOURCE].decode().removeprefix("digits.csv:"))
        assert example[f.LABEL] == labels[row]
        assert np.array_equal(images.read(example[f.IMAGE], 10**6, 10**6).pixels, pixels[row])
    classes = [example[f.LABEL] for example in outcome.splits["train"][:200]]
    assert len(set(classes)) == 10  # mixed


def digest(uri: Path) -> dict[str, str]:
    return {
        str(path.relative_to(uri)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in uri.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    root = datasets.folder(tmp_path / "pets", datasets.digit_files(300) | {"0/bad.png": b"bad"})
    first, second = datasets.run(root, tmp_path / "a" / "out"), datasets.run(root, tmp_path / "b" / "out")
    assert digest(first.uri) == digest(second.uri)


@pytest.mark.slow
def test_folder_tar_and_zip_give_the_same_examples(tmp_path: Path) -> None:
    content: dict[str, bytes | None] = {
        **datasets.digit_files(250),
        "1/bad.png": b"bad",
        "0/.DS_Store": b"x",
        "7/deep/er.png": png(scene()),
    }
    wrapped = {f"pets/{name}": raw for name, raw in content.items()}
    outcomes = [
        datasets.run(path, tmp_path / str(i) / "out")
        for i, path in enumerate(
            (
                datasets.folder(tmp_path / "pets", content),
                datasets.tar(tmp_path / "a.tar", content),
                datasets.tar(tmp_path / "b.tar", wrapped),
                datasets.tar(tmp_path / "a.tar.gz", content, "w:gz"),
                datasets.tar(tmp_path / "b.tgz", wrapped, "w:gz"),
                datasets.zipped(tmp_path / "a.zip", content),
                datasets.zipped(tmp_path / "b.zip", wrapped, zipfile.ZIP_STORED),
            )
        )
    ]
    check_contract(outcomes[0])
    for other in outcomes[1:]:
        for split in f.SPLITS:
            assert datasets.without_source(other.splits[split]) == datasets.without_source(outcomes[0].splits[split])
        assert [line["reason"] for line in other.rejected] == ["not an image but text"]
        assert {**other.counts, "source": ""} == {**outcomes[0].counts, "source": ""}


@pytest.mark.slow
def test_given_splits(tmp_path: Path) -> None:
    content = {}
    for prefix, count in (("train/", 90), ("test/", 10)):
        content |= datasets.images_of({"cat": count, "dog": count}, prefix)
    outcome = datasets.run(datasets.folder(tmp_path / "pets", content), tmp_path / "a" / "out")
    check_contract(outcome)
    assert {split: sum(x.values()) for split, x in outcome.counts["splits"].items()} == {
        "train": 160,
        "validation": 20,
        "test": 20,
    }
    for split, tops in (("train", b"train/"), ("validation", b"train/"), ("test", b"test/")):
        assert all(example[f.SOURCE].startswith(tops) for example in outcome.splits[split])
    content |= datasets.images_of({"cat": 5, "dog": 5}, "val/")
    outcome = datasets.run(datasets.folder(tmp_path / "pets", content), tmp_path / "b" / "out")
    assert {split: sum(x.values()) for split, x in outcome.counts["splits"].items()} == {
        "train": 180,
        "validation": 10,
        "test": 20,
    }
    assert all(example[f.SOURCE].startswith(b"val/") for example in outcome.splits["validation"])


def test_same_pixels_never_part(tmp_path: Path) -> None:
    """Thirty images, each stored as PNG, BMP and WebP: the three of each lie in one split."""
    content = {}
    for name, seed in (("cat", 0), ("dog", 100)):
        for i in range(30):
            image = Image.fromarray(datasets.pixels_of(seed + i))
            content |= {f"{name}/{i}.png": saved(image, "PNG"), f"{name}/{i}.bmp": saved(image, "BMP")}
            content[f"{name}/{i}.webp"] = saved(image, "WEBP", lossless=True)
    outcome = datasets.run(datasets.folder(tmp_path / "pets", content), tmp_path / "out")
    where: dict[bytes, set[str]] = {}
    for split, examples in outcome.splits.items():
        for example in examples:
            where.setdefault(example[f.PIXELS_SHA256], set()).add(split)
    assert len(where) == 60
    assert all(len(splits) == 1 for splits in where.values())


def test_every_kind_of_image(tmp_path: Path) -> None:
    content = datasets.images_of({"cat": 6, "dog": 6})
    for name, raw in (kept() | stripped() | turned() | encoded_anew()).items():
        content[f"cat/{name.replace('/', '')}"] = raw
    outcome = datasets.run(datasets.folder(tmp_path / "pets", content), tmp_path / "out")
    assert outcome.rejected == []
    stored = {example[f.SOURCE].decode(): example for example in outcome.all}
    for name, raw in kept().items():
        assert stored[f"cat/{name.replace('/', '')}"][f.IMAGE] == raw
    for name in stripped():
        example = stored[f"cat/{name}"]
        assert example[f.NUM_BYTES] == len(example[f.IMAGE])
    assert stored["cat/png alpha"][f.CHANNELS] == 4
    assert outcome.counts["reoriented"] == len(turned()) == 56
    assert outcome.counts["notes"] == ["56 images were turned upright, as the EXIF orientation says, and re-encoded"]


def test_large_images_are_stored_reduced(tmp_path: Path) -> None:
    """Beside small ones; two copies of a photo, one of them without its EXIF, are of the same pixels."""
    raw = saved(Image.fromarray(photo(300, 400)), "JPEG", exif=b"")
    content = datasets.images_of({"cat": 6, "dog": 6})
    content |= {"cat/a.jpg": raw, "dog/b.jpg": raw[:2] + b"\xff\xfe\0\x06ABCD" + raw[2:]}
    content |= {"cat/wide.bmp": saved(Image.fromarray(photo(30, 101)), "BMP"), "cat/fits.jpg": kept()["jpeg"]}
    content |= {"cat/cut.jpg": raw[:-2000]}
    root = datasets.folder(tmp_path / "pets", content)
    outcome = datasets.run(root, tmp_path / "a" / "out", max_side=100)
    check_contract(outcome)
    stored = {example[f.SOURCE].decode(): example for example in outcome.all}
    reduced = {name for name, example in stored.items() if f.ORIGINAL_SHA256 in example}
    assert reduced == {"cat/a.jpg", "dog/b.jpg", "cat/wide.bmp"}
    for name in reduced:
        assert stored[name][f.ORIGINAL_SHA256].decode() == hashlib.sha256(content[name]).hexdigest()
    assert (stored["cat/a.jpg"][f.HEIGHT], stored["cat/a.jpg"][f.WIDTH]) == (300, 400)
    assert stored["cat/a.jpg"][f.PIXELS_SHA256] == stored["dog/b.jpg"][f.PIXELS_SHA256]
    assert stored["cat/fits.jpg"][f.IMAGE] == kept()["jpeg"]
    assert outcome.reasons()["cat/cut.jpg"].startswith("damaged image")
    assert outcome.counts["reduced"] == 3
    assert outcome.counts["notes"] == ["3 images were reduced to 100 pixels on the longer side (data.max_side)"]
    assert digest(outcome.uri) == digest(datasets.run(root, tmp_path / "b" / "out", max_side=100).uri)


HOSTILE = ["\u732b", "a b", "<script>&amp;", "new\nline", "quo\"te'", "caf\u00e9", "-rf", "100%", "\U0001f408"]


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_hostile_names(tmp_path: Path, kind: str) -> None:
    content = {
        f"{name}/{name}{i}.png": png(datasets.pixels_of(HOSTILE.index(name) * 10 + i + 10))
        for name in HOSTILE
        for i in range(4)
    }
    content |= {f"{HOSTILE[0]}/{HOSTILE[3]}.dat": b"text"}
    content |= (
        {"bad\udcff/1.png": png(datasets.pixels_of(1)), "bad\udcff/2.png": png(datasets.pixels_of(2))}
        if kind != "zip"
        else {}
    )
    root = tmp_path / "p[e]ts {1} *"
    path = {"folder": datasets.folder, "tar": datasets.tar, "zip": datasets.zipped}[kind](root, content)
    outcome = datasets.run(path, tmp_path / "out")
    names = {name.strip("\\") for name in outcome.counts["class_names"]}
    assert names >= set(HOSTILE)
    assert kind == "zip" or "bad\\xff" in names
    assert outcome.rejected == [
        {"source": f"{HOSTILE[0]}/{HOSTILE[3]}.dat", "reason": "not an image but text", "class_name": HOSTILE[0]}
    ]


def test_rejects_are_named_and_counted(tmp_path: Path) -> None:
    good = datasets.images_of({"cat": 5, "dog": 5})
    jpeg = kept()["jpeg"]
    content: dict[str, bytes | None] = {
        **good,
        "cat/text.dat": b"hello",
        "cat/empty.jpg": b"",
        "cat/cut.jpg": jpeg[:-60],
        "dog/large.jpg": jpeg + b"x" * 10**6,
        "dog/wide.png": png(np.zeros((600, 2000, 3), np.uint8)),
        "stray.png": png(datasets.pixels_of(99)),
        "emu": None,
        "fox/only.png": b"broken",
        ".hidden/1.png": b"x",
    }
    outcome = datasets.run(datasets.folder(tmp_path / "pets", content), tmp_path / "out")
    check_contract(outcome)
    assert outcome.reasons() == {
        "cat/text.dat": "not an image but text",
        "cat/empty.jpg": "empty file",
        "cat/cut.jpg": outcome.reasons()["cat/cut.jpg"],
        "dog/large.jpg": "over the limit of 1,000,000 bytes (data.max_bytes)",
        "dog/wide.png": "2000 x 600 is over the limit of 1,000,000 pixels (data.max_pixels)",
        "stray.png": "not in the folder of a class",
        "emu": "the class has no usable image",
        "fox": "the class has no usable image",
        "fox/only.png": "not an image but text",
    }
    assert outcome.reasons()["cat/cut.jpg"].startswith("damaged image: the file is truncated")
    assert {line["source"]: line["class_name"] for line in outcome.rejected}["fox/only.png"] == "fox"
    assert outcome.counts["class_names"] == ["cat", "dog"]
    assert outcome.counts["rejected"] == 9


def test_a_class_without_training_images(tmp_path: Path) -> None:
    content = {
        **datasets.images_of({"cat": 9, "dog": 9}, "train/"),
        **datasets.images_of({"cat": 3, "dog": 3, "emu": 2}, "test/"),
    }
    outcome = datasets.run(datasets.folder(tmp_path / "pets", content), tmp_path / "out")
    assert outcome.reasons() == dict.fromkeys(
        ("test/emu/0.png", "test/emu/1.png"), "its class has no image to train with"
    )
    assert outcome.rejected[0]["class_name"] == "emu"


@pytest.mark.slow
def test_what_describes_a_set_is_ignored_and_counted(tmp_path: Path) -> None:
    content: dict[str, bytes | None] = {
        **datasets.images_of({"cat": 4, "dog": 4}, "images/"),
        "README.dataset.txt": b"a data set",
        "labels.csv": b"1.png,cat",
        "annotations/cat/0.xml": b"<annotation/>",
        "images/@eaDir/0.png": b"thumbnail",
        "images/docs/more/notes.md": b"no class",
    }
    for path in (
        datasets.folder(tmp_path / "pets", content),
        datasets.tar(tmp_path / "a.tar", content),
        datasets.tar(tmp_path / "a.tgz", content, "w:gz"),
        datasets.zipped(tmp_path / "a.zip", content),
    ):
        outcome = datasets.run(path, tmp_path / f"{path.name}.d" / "out")
        assert (outcome.counts["class_names"], outcome.rejected) == (["cat", "dog"], [])
        assert outcome.counts["ignored"] == 4
        assert outcome.counts["notes"] == [
            "ignored 4 files that are not images "
            "(README.dataset.txt, annotations/cat/0.xml, images/docs/more/notes.md, ...)"
        ]


def test_archives_in_a_folder_are_read_as_folders_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    for split, count in (("train", 9), ("test", 3)):
        datasets.zipped(
            tmp_path / "pets" / f"{split}.zip", datasets.images_of({"cat": count, "dog": count}, f"{split}/")
        )
    outcome = datasets.run(tmp_path / "pets", tmp_path / "out")
    check_contract(outcome)
    assert outcome.counts["class_names"] == ["cat", "dog"]
    assert {example[f.SOURCE].split(b"/")[:2] == [b"test", b"test"] for example in outcome.splits["test"]} == {True}
    assert outcome.counts["notes"] == ["test.zip, train.zip: each archive is read as a folder of its name"]
    beside = datasets.run(
        datasets.folder(tmp_path / "b", datasets.images_of({"cat": 5, "dog": 5}) | {"all.zip": b"PK"}),
        tmp_path / "c" / "out",
    )
    assert beside.reasons() == {"all.zip": "an archive: extract it, or give it by itself"}


def test_records_without_labels_in_test_leave_test_to_be_cut(tmp_path: Path) -> None:
    images = [png(datasets.pixels_of(i)) for i in range(26)]
    (tmp_path / "r" / "train").mkdir(parents=True)
    (tmp_path / "r" / "test").mkdir()
    labelled = [{"image": raw, "class": i % 2, "id": b"x"} for i, raw in enumerate(images[:20])]
    datasets.tfrecords(tmp_path / "r" / "train" / "00.tfrec", labelled)
    datasets.tfrecords(tmp_path / "r" / "test" / "00.tfrec", [{"image": raw, "id": b"x"} for raw in images[20:]])
    outcome = datasets.run(tmp_path / "r", tmp_path / "out")
    check_contract(outcome)
    assert len(outcome.rejected) == 6
    assert len(outcome.all) == 20


def test_records_that_name_classes_by_number_and_by_text(tmp_path: Path) -> None:
    examples = [{"image": png(datasets.pixels_of(i)), "label": i % 2} for i in range(10)]
    examples += [{"image": png(datasets.pixels_of(i)), "label": b"cat"} for i in range(10, 20)]
    path = datasets.tfrecords(tmp_path / "a.tfrecord", examples)
    with pytest.raises(UserError, match=r"some records name their class by a number \(1\), others by text \('cat'\)"):
        datasets.run(path, tmp_path / "out")


def test_numeric_class_folders_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    names = ["1", "2", "10", "0.5", "007", "-1", "b", "B", "10b"]
    for path in (
        datasets.folder(tmp_path / "pets", content := datasets.images_of(dict.fromkeys(names, 3))),
        datasets.tar(tmp_path / "a.tgz", content, "w:gz"),
    ):
        outcome = datasets.run(path, tmp_path / f"{path.name}.d" / "out")
        check_contract(outcome)
        assert outcome.counts["class_names"] == ["-1", "0.5", "1", "2", "007", "10", "10b", "B", "b"]


def test_classes_that_differ_by_case(tmp_path: Path) -> None:
    train = datasets.images_of({"frog": 5, "ship": 5}, "train/")
    with pytest.raises(UserError, match="the classes 'Frog' and 'frog' differ only in upper and lower case or spaces"):
        datasets.run(
            datasets.folder(tmp_path / "a", train | datasets.images_of({"Frog": 3, "Ship": 3}, "test/")),
            tmp_path / "1" / "o",
        )
    letters = datasets.run(datasets.folder(tmp_path / "b", datasets.images_of({"A": 3, "a": 3})), tmp_path / "2" / "o")
    assert letters.counts["class_names"] == ["A", "a"]
    assert letters.counts["notes"] == ["the classes 'A' and 'a' differ only in upper and lower case or spaces"]


def test_a_test_folder_without_labels_leaves_test_to_be_cut(tmp_path: Path) -> None:
    content = datasets.images_of({"cat": 10, "dog": 10}, "train/")
    content |= {f"test/{i}.png": png(datasets.pixels_of(900 + i)) for i in range(3)}
    outcome = datasets.run(datasets.folder(tmp_path / "pets", content), tmp_path / "out")
    check_contract(outcome)
    assert set(outcome.reasons().values()) == {"not in the folder of a class: directly in test/"}
    assert sum(outcome.counts["splits"]["test"].values()) == 2


def test_a_test_split_of_other_classes(tmp_path: Path) -> None:
    content = datasets.images_of({"cat": 5, "dog": 5}, "train/") | datasets.images_of({"emu": 5, "yak": 5}, "test/")
    with pytest.raises(UserError, match="no image of test is of a class that train has"):
        datasets.run(datasets.folder(tmp_path / "pets", content), tmp_path / "out")


def test_an_unreadable_file_is_rejected(tmp_path: Path) -> None:
    root = datasets.folder(tmp_path / "pets", datasets.images_of({"cat": 5, "dog": 5}))
    (root / "cat" / "gone.png").symlink_to("nowhere")
    (root / "dog" / "here").symlink_to("..")  # a folder that contains itself
    (root / "dog" / "linked.png").symlink_to(root / "cat" / "0.png")
    outcome = datasets.run(root, tmp_path / "out")
    assert outcome.reasons() == {"cat/gone.png": "cannot be read (No such file or directory)"}
    assert len(outcome.all) == 11


@pytest.mark.parametrize("write", [datasets.cifar_python, datasets.cifar_binary])
def test_cifar_10(tmp_path: Path, write: object) -> None:
    batches = {f"data_batch_{i}": datasets.cifar_rows(i, 100) for i in (1, 2)} | {
        "test_batch": datasets.cifar_rows(9, 50)
    }
    outcome = datasets.run(write(tmp_path / "archive", batches), tmp_path / "out")
    check_contract(outcome)
    assert outcome.counts["class_names"] == datasets.CIFAR_NAMES
    assert {split: len(examples) for split, examples in outcome.splits.items()} == {
        "train": 180,
        "validation": 20,
        "test": 50,
    }
    for example in outcome.all:
        member, row = example[f.SOURCE].decode().rsplit(":", 1)
        batch = batches[Path(member).name.removesuffix(".bin")]
        assert batch.labels[int(row)] == example[f.LABEL]
        planes = batch.data[int(row)].reshape(3, 32, 32)
        assert np.array_equal(images.read(example[f.IMAGE], 10**6, 10**6).pixels, np.moveaxis(planes, 0, 2))


def test_a_label_without_a_name(tmp_path: Path) -> None:
    rows = datasets.cifar_rows(0, 30)
    path = datasets.cifar_binary(tmp_path / "archive", {"data_batch_1": rows._replace(labels=[*rows.labels[:-1], 10])})
    with pytest.raises(UserError, match="a label 10, but names for 10 classes"):
        datasets.run(path, tmp_path / "out")


def test_a_hostile_archive_ends_the_run_in_one_line(tmp_path: Path) -> None:
    import pickle

    from tests.example_gen.formats.test_cifar10 import Hostile

    path = datasets.tar(
        tmp_path / "a.tgz", {"cifar-10-batches-py/data_batch_1": pickle.dumps({b"data": Hostile()}, 2)}, "w:gz"
    )
    with pytest.raises(UserError, match=r"holds posix\.system, which no CIFAR-10 batch needs; it was not run"):
        datasets.run(path, tmp_path / "out")
    assert not os.path.exists("hacked")


def test_tfrecords(tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    for shard in range(2):
        rows = [{"image": png(datasets.pixels_of(shard * 100 + i)), "label": i % 12} for i in range(60)]
        datasets.tfrecords(folder / f"pets.tfrecord-{shard:05d}-of-00002", [*rows, {"label": 1}])
    outcome = datasets.run(folder, tmp_path / "a" / "out")
    check_contract(outcome)
    assert outcome.counts["class_names"] == [f"{i:02d}" for i in range(12)]
    assert all(int(example[f.CLASS_NAME]) == example[f.LABEL] for example in outcome.all)
    assert [line["source"] for line in outcome.rejected] == [f"pets.tfrecord-0000{i}-of-00002:60" for i in range(2)]


def test_its_own_output_is_a_source(tmp_path: Path) -> None:
    first = datasets.run(
        datasets.folder(tmp_path / "pets", datasets.images_of({"cat": 30, "dog": 30})), tmp_path / "a" / "out"
    )
    shards = tmp_path / "records"
    shards.mkdir()
    for split in f.SPLITS:
        (path,) = (first.uri / f"Split-{split}").iterdir()
        (shards / f"pets-{split}.tfrecord.gz").write_bytes(path.read_bytes())
    second = datasets.run(shards, tmp_path / "b" / "out")
    for split in f.SPLITS:
        assert datasets.without_source(first.splits[split]) == datasets.without_source(second.splits[split])


MISTAKES = {
    "nothing usable": (
        {"cat/1.png": b"x", "dog/2.png": b"y"},
        "none of its 2 images can be used (2 × not an image but text)",
    ),
    "one usable class": (
        {**datasets.images_of({"cat": 5}), "dog/1.png": b"x"},
        "only 'cat' has usable images to train with, and a classifier needs two classes (1 × not an image but text",
    ),
    "too few": (datasets.images_of({"cat": 2, "dog": 2}), "too few images: none is left for validation"),
    "only test": (
        datasets.images_of({"cat": 2, "dog": 2}, "pets/test/"),
        "there are images for test (test/), and none",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
@pytest.mark.parametrize("archive", [False, True])
def test_mistakes_get_one_clear_line(tmp_path: Path, kind: str, archive: bool) -> None:
    content, message = MISTAKES[kind]
    path = (
        datasets.tar(tmp_path / "pets.tgz", content, "w:gz") if archive else datasets.folder(tmp_path / "pets", content)
    )
    with pytest.raises(UserError) as caught:
        datasets.run(path, tmp_path / "out")
    assert str(caught.value).startswith(f"{path}: {message or ''}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no images in it"),
        ({"1.png": b"x", "2.png": b"x"}, "images but no class folders"),
        ({"pets/cat/1.png": b"x"}, "only one class|no class folders"),
        ({"../cat/1.png": b"x", "/dog/1.png": b"y"}, "none of its 2 images can be used .2 × its name points outside"),
    ],
)
def test_archives_of_no_known_layout(tmp_path: Path, content: dict[str, bytes], message: str) -> None:
    for path in (
        datasets.tar(tmp_path / "a.tar", content),
        datasets.tar(tmp_path / "a.tgz", content, "w:gz"),
        datasets.zipped(tmp_path / "a.zip", content),
    ):
        with pytest.raises(UserError, match=message):
            datasets.run(path, tmp_path / f"{path.name}.d" / "out")


def test_members_that_escape_are_rejected(tmp_path: Path) -> None:
    content = {
        **datasets.images_of({"pets/cat": 5, "pets/dog": 5}),
        "../../evil.png": png(scene()),
        "/abs/evil.png": png(scene()),
    }
    for path in (
        datasets.tar(tmp_path / "a.tar", content),
        datasets.tar(tmp_path / "a.tgz", content, "w:gz"),
        datasets.zipped(tmp_path / "a.zip", content),
    ):
        outcome = datasets.run(path, tmp_path / f"{path.name}.d" / "out")
        assert {line["reason"] for line in outcome.rejected} == {"its name points outside the archive"}
        assert outcome.counts["class_names"] == ["cat", "dog"]
        assert len(outcome.all) == 10


def test_rejected_file_is_json_lines(tmp_path: Path) -> None:
    outcome = datasets.run(
        datasets.folder(tmp_path / "pets", datasets.images_of({"a": 4, "b": 4}) | {"a/x\ny.dat": b"x"}),
        tmp_path / "out",
    )
    (line,) = (outcome.uri / REJECTED_FILE).read_text().splitlines()
    assert json.loads(line) == {"source": "a/x\ny.dat", "reason": "not an image but text", "class_name": "a"}


@pytest.mark.slow
def test_many_shuffle_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small units, parts and shuffle files: as a large source is read; nothing lost, nothing twice."""
    from components.example_gen import shuffle_files
    from components.example_gen.formats import base

    monkeypatch.setattr(base, "_FILES_IN_UNIT", 50)
    monkeypatch.setattr(base, "_BYTES_IN_PART", 4000)
    monkeypatch.setattr(shuffle_files, "_FILE_BYTES", 3000)
    monkeypatch.setattr(shuffle_files, "_FLUSH_BYTES", 500)
    content = datasets.digit_files(220)
    few = datasets.folder(tmp_path / "pets", content)
    folder, stream = (
        datasets.run(few, tmp_path / "a" / "out"),
        datasets.run(datasets.tar(tmp_path / "a.tgz", content, "w:gz"), tmp_path / "b" / "out"),
    )
    monkeypatch.undo()
    whole = datasets.run(few, tmp_path / "c" / "out")
    for outcome in (folder, stream):
        assert len(list((outcome.uri / "Split-train").iterdir())) > 3
        for split in f.SPLITS:
            assert datasets.without_source(outcome.splits[split]) == datasets.without_source(whole.splits[split])


@pytest.mark.parametrize("kind", ["folder", "a.tar", "a.tar.gz", "a.zip", "a.parquet", "a.csv", "tfrecords"])
def test_remote_paths(tmp_path: Path, kind: str) -> None:
    """On TensorFlow's file system in memory, which is reached as gs:// is."""
    import tensorflow as tf

    content = datasets.images_of({"cat": 6, "dog": 6}) | {"cat/.hidden": b"x"}
    local = tmp_path / kind
    if kind == "folder":
        datasets.folder(local, content)
    elif kind == "tfrecords":
        rows = [{"image": raw, "label": name[:3].encode()} for name, raw in content.items() if raw != b"x"]
        local.mkdir()
        datasets.tfrecords(local / "a.tfrecord", rows)
    elif kind == "a.parquet":
        names = [name for name in content if "hidden" not in name]
        columns = {"image": [content[name] for name in names], "label": [name[:3] for name in names]}
        datasets.parquet(local, columns, row_group_size=5)
    elif kind == "a.csv":
        names = [name for name in content if "hidden" not in name]
        datasets.folder(tmp_path, {name: content[name] for name in names})
        local.write_text("path,label\n" + "".join(f"{name},{name[:3]}\n" for name in names))
    else:
        write = datasets.zipped if kind == "a.zip" else datasets.tar
        write(local, content, *(["w:gz"] if kind == "a.tar.gz" else []))
    remote = f"ram://{tmp_path.name}"
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        target = f"{remote}/{path.relative_to(tmp_path)}"
        tf.io.gfile.makedirs(os.path.dirname(target))
        tf.io.gfile.copy(str(path), target)
    source = f"{remote}/{kind}" + ("/*.tfrecord" if kind == "tfrecords" else "")
    there, here = datasets.run(source, tmp_path / "a" / "out"), datasets.run(local, tmp_path / "b" / "out")
    for split in f.SPLITS:
        assert datasets.without_source(there.splits[split]) == datasets.without_source(here.splits[split])
    assert not there.rejected


@pytest.mark.slow
@pytest.mark.cifar
@pytest.mark.skipif("CIFAR10_JPEG" not in os.environ, reason="CIFAR10_JPEG is not set")
def test_real_images(tmp_path: Path) -> None:
    """A tenth of the real CIFAR-10 JPEGs, in an archive as theirs: through Beam, as found, every class mixed in."""
    import tarfile

    path = tmp_path / "some.tar.gz"
    with tarfile.open(os.environ["CIFAR10_JPEG"]) as archive, tarfile.open(path, "w:gz") as out:
        for member in archive:
            if member.isfile() and member.name.endswith("7.jpg"):
                out.addfile(member, archive.extractfile(member))
    outcome = datasets.run(path, tmp_path / "out")
    check_contract(outcome)
    assert {split: len(examples) for split, examples in outcome.splits.items()} == {
        "train": 4440,
        "validation": 560,
        "test": 1000,
    }
    assert all(example[f.IMAGE].startswith(b"\xff\xd8") for example in outcome.all)
    assert min(Counter(example[f.LABEL] for example in outcome.splits["train"][:500]).values()) > 25
