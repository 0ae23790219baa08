"""`data.source`: what each kind is taken for, and the one clear line for each mistake; all in a moment."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import re
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest

from components.errors import UserError
from components.example_gen import sources
from components.example_gen.formats import cifar10
from components.example_gen.sources import Source, locate
from tests.example_gen import datasets

TWO = datasets.images_of({"cat": 2, "dog": 2})


def test_digits() -> None:
    source = locate("digits", "~/cache")
    assert (source.format, source.name) == ("digits", "digits")
    assert Path(source.path).is_file()


def test_cifar10_prefers_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras_home(tmp_path, monkeypatch)
    assert locate("cifar10", str(tmp_path)).published == cifar10.BINARY
    (tmp_path / "cifar-10-python.tar.gz").touch()
    assert locate("cifar10", str(tmp_path)).published == cifar10.PYTHON
    (tmp_path / "cifar-10-binary.tar.gz").touch()
    source = locate("cifar10", str(tmp_path))
    assert (source.published, source.path) == (cifar10.BINARY, str(tmp_path / "cifar-10-binary.tar.gz"))
    with pytest.raises(UserError, match=r"not the published cifar-10-binary\.tar\.gz"):
        sources.fetch(source)


def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    return tmp_path / "keras" / "datasets"


@pytest.mark.parametrize("name", ["cifar-10-batches-py.tar.gz", "cifar-10-batches-py-target_archive"])
def test_keras_archive_of_cifar10_is_found_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = datasets.cifar_python(keras_home(tmp_path, monkeypatch) / name, {"test_batch": datasets.cifar_rows(0, 10)})
    source = locate("cifar10", str(tmp_path / "cache"))
    assert (source.path, source.published) == (str(path), cifar10.PYTHON)
    with pytest.raises(UserError, match=rf"{name}: not the published cifar-10-python\.tar\.gz"):
        sources.fetch(source)
    ours = cifar10.PYTHON._replace(sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    note = f"CIFAR-10 was downloaded by Keras before, and is read from {path}"
    assert sources.fetch(dataclasses.replace(source, published=ours)) == [note]
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "cifar-10-python.tar.gz").touch()
    assert locate("cifar10", str(tmp_path / "cache")).path.startswith(str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"])
def test_keras_folder_of_cifar10_is_found_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = keras_home(tmp_path, monkeypatch) / name
    datasets.folder(folder, {member: member.encode() for member, _ in cifar10.PYTHON.unpacked})
    source = locate("cifar10", str(tmp_path / "cache"))
    assert source.path == str(folder)
    with pytest.raises(UserError, match=r"batches\.meta: not as in the published .* Delete .*cifar-10-batches-py to"):
        sources.fetch(source)
    md5s = tuple((member, hashlib.md5(member.encode()).hexdigest()) for member, _ in cifar10.PYTHON.unpacked)
    ours = dataclasses.replace(source, published=cifar10.PYTHON._replace(unpacked=md5s))
    assert len(sources.fetch(ours)) == 1
    (folder / "test_batch").unlink()
    with pytest.raises(UserError, match=r"test_batch: not as in the published"):
        sources.fetch(ours)


def test_folder(tmp_path: Path) -> None:
    root = datasets.folder(tmp_path / "My pets [2024]", TWO)
    assert locate(str(root), "") == Source("folder", "My-pets-2024", str(tmp_path), "My pets [2024]")
    assert locate(f"{root}/", "").pattern == "My pets [2024]"


@pytest.mark.parametrize(("ending", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".dat", "w:xz")])
def test_archives_by_their_content(tmp_path: Path, ending: str, mode: str) -> None:
    assert locate(str(datasets.tar(tmp_path / f"pets{ending}", TWO, mode)), "").format == "archive"
    rows = datasets.cifar_rows(0, 10)
    for write in (datasets.cifar_python, datasets.cifar_binary):
        source = locate(str(write(tmp_path / f"{write.__name__}{ending}", {"data_batch_1": rows}, mode)), "")
        assert (source.format, source.name) == ("cifar10", "cifar10")


def test_zip(tmp_path: Path) -> None:
    source = locate(str(datasets.zipped(tmp_path / "pets.zip", TWO)), "")
    assert (source.format, source.name) == ("archive", "pets")


def test_tfrecords(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    for name in ("a.tfrecord", "b.tfrecord-00000-of-00002", "notes.txt"):
        (tmp_path / "pets" / name).write_bytes(b"x" * 20)
    assert locate(str(tmp_path / "pets"), "").format == "tfrecords"
    assert locate(str(tmp_path / "pets" / "a.tfrecord"), "").format == "tfrecords"
    source = locate(str(tmp_path / "pets" / "*.tfrecord*"), "")
    assert source == Source("tfrecords", "pets", str(tmp_path / "pets"), "*.tfrecord*")


def test_spans(tmp_path: Path) -> None:
    for span in (1, 2):
        datasets.folder(tmp_path / "pets" / f"span-{span}", TWO)
        datasets.tar(tmp_path / "pets" / f"v{span}.tar", TWO)
    source = locate(str(tmp_path / "pets" / "span-{SPAN}"), "")
    assert source == Source("folder", "pets", str(tmp_path / "pets"), "span-{SPAN}")
    assert locate(str(tmp_path / "pets" / "v{SPAN:1}.tar"), "").format == "archive"
    for wrong in ("{VERSION}", "{SPAN}/{SPAN}", "{YYYY}-{MM}", "{SPAN}-{YYYY}-{MM}-{DD}"):
        with pytest.raises(UserError, match="its placeholders are not"):
            locate(str(tmp_path / wrong), "")
    with pytest.raises(UserError, match="nothing matches"):
        locate(str(tmp_path / "other" / "{SPAN}" / "{VERSION}"), "")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("gs://bucket/pets", "folder"),
        ("gs://bucket/pets.tar.gz", "archive"),
        ("gs://bucket/cifar-10-python.tar.gz", "cifar10"),
        ("gs://bucket/pets/*.tfrecord", "tfrecords"),
        ("gs://bucket/pets/{SPAN}/pets.zip", "archive"),
        ("gs://bucket/pets/train-*.parquet", "parquet"),
    ],
)
def test_remote_paths_by_their_name(path: str, kind: str) -> None:
    source = locate(path, "")
    assert source.format == kind
    assert source.path == path


def test_names_in_other_scripts_are_told_apart() -> None:
    paths = ["фотографии", "写真", "Ünïcode", "Unicode", "写真.zip", "写真 2", "!!", "two words"]
    of = {path: locate(f"gs://bucket/{path}", "").name for path in paths}
    assert of["Unicode"] == "Unicode"
    assert of["two words"] == "two-words"
    assert of["写真"] == of["写真.zip"] == "images-9c3250ff"  # the same on every machine
    assert of["写真 2"].startswith("2-")
    assert of["Ünïcode"] == locate("gs://bucket/" + unicodedata.normalize("NFD", "Ünïcode"), "").name
    assert len(set(of.values())) == len(paths) - 1
    assert {re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) is not None for name in of.values()} == {True}
    urls = [f"https://example.com/{name}" for name in ("写真.zip", "%E7%8C%AB.zip", "")]
    assert len({locate(url, "").name for url in urls} - {"zip", ""}) == 3


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("ftp://example.com/pets", "this installation reads no ftp:// paths"),
        ("s3://bucket/pets", "this installation reads no s3:// paths, only local ones, gs://, file://, http:// and"),
        ("https:///pets.zip", "not a URL of a file"),
        ("https://[/pets.zip", "not a URL of a file"),
        (
            "https://me:secret@example.com/pets.zip",
            "^a URL on example.com: it holds a user name",
        ),
        ("https://example.com/pets.zip#sha256=12", "what follows its # is not sha256= and 64 hex digits"),
        ("https://example.com/pets.zip#top", "what follows its # is not sha256="),
    ],
)
def test_paths_that_are_not_read_here(path: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        locate(path, "")


def mistake(tmp_path: Path, kind: str) -> str:
    """Make the mistake; return what it gives as the source."""
    path = tmp_path / "pets"
    if kind == "missing":
        return str(path)
    if kind == "mistyped":
        return "cifar-10"
    if kind == "no class folders":
        datasets.folder(path, {"1.png": b"x", "2.png": b"y"})
    elif kind == "one class":
        datasets.folder(path, {"train/cat/1.png": b"x", "test/cat/2.png": b"x"})
    elif kind == "only litter":
        datasets.folder(
            path, {".DS_Store": b"x", "__MACOSX/cat/1.png": b"x", "cat/Thumbs.db": b"x", "cat/._1.png": b"x"}
        )
    elif kind == "empty folder":
        path.mkdir()
    elif kind == "empty classes":
        datasets.folder(path, {"cat": None, "dog": None})
    elif kind == "a text":
        path.write_text("hello")
    elif kind == "an image":
        path.write_bytes(TWO["cat/0.png"])
    elif kind == "empty file":
        path.touch()
    elif kind == "half an archive":
        path = datasets.tar(tmp_path / "pets.tar.gz", TWO, "w:gz")
        path.write_bytes(path.read_bytes()[:100])
    elif kind == "no archive":
        path = tmp_path / "pets.zip"
        path.write_bytes(b"hello")
    elif kind == "gzipped text":
        path = tmp_path / "pets.tar.gz"
        path.write_bytes(gzip.compress(b"hello" * 1000))
    elif kind == "pattern of nothing":
        return str(tmp_path / "*.tfrecord")
    elif kind == "pattern of images":
        datasets.folder(path, TWO)
        return str(path / "cat" / "*.png")
    return str(path)


MISTAKES = {
    "missing": "there is no such file or folder. Give digits, cifar10, or the path",
    "mistyped": "there is no such file or folder. Did you mean cifar10?",
    "no class folders": "images but no class folders. Put the images of each class into a folder",
    "one class": "only one class, 'cat'. A classifier needs at least two",
    "only litter": "the folder is empty",
    "empty folder": "the folder is empty. Expected a folder for each class",
    "empty classes": "the folder is empty",
    "a text": "not a kind of file known here",
    "an image": "not a kind of file known here",
    "empty file": "the file is empty",
    "half an archive": "damaged",
    "no archive": "damaged, or not the type of archive that its name says",
    "gzipped text": "compressed by gzip, but not a tar",
    "pattern of nothing": "no file matches",
    "pattern of images": "a pattern can only name TFRecords",
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_get_one_clear_line(tmp_path: Path, kind: str) -> None:
    source = mistake(tmp_path, kind)
    with pytest.raises(UserError, match=MISTAKES[kind]) as caught:
        locate(source, str(tmp_path))
    assert "\n" not in str(caught.value)
    assert os.path.basename(source).split("*")[0] in str(caught.value)


def test_empty_source() -> None:
    with pytest.raises(UserError, match=r"data\.source is empty"):
        locate(" ", "")


def test_light_and_quick(tmp_path: Path) -> None:
    """Without any of the heavy libraries, and in a moment, so that a mistake is told at once."""
    heavy = ("tensorflow", "tfx", "apache_beam", "sklearn", "keras")
    code = (
        "import sys; from components.example_gen.sources import locate; locate('digits', '')\n"
        f"assert not [name for name in {heavy} if name in sys.modules]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    root = datasets.folder(tmp_path, {f"class {i % 10}/{i}.jpg": b"" for i in range(3000)})
    start = time.process_time()
    locate(str(root), "")
    assert time.process_time() - start < 0.2
