"""`--data https://…`: archives from a real HTTP server, downloaded once, checked by a hash where the URL has one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contracts import features as f
from components.errors import UserError
from components.example_gen import sources
from components.example_gen.driver import fingerprint
from tests.example_gen import datasets
from tests.example_gen.http_server import Server, running

PETS = datasets.zip_bytes(datasets.images_of({"cat": 6, "dog": 6}))
LARGE = bytes(range(256)) * 8_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with running() as served:
        yield served


def test_an_archive_is_downloaded_once_and_read_as_a_local_one(server: Server, tmp_path: Path) -> None:
    server.files["/sets/My%20pets.zip"] = PETS, {}
    source = sources.locate(f"{server.url}/sets/My pets.zip?token=secret", str(tmp_path / "cache"))
    assert (source.name, source.pattern) == ("My-pets", "My-pets.zip")
    (note,) = sources.fetch(source)
    assert f"{len(PETS):,} bytes, of unknown hash" in note
    assert note.endswith(f"#sha256={hashlib.sha256(PETS).hexdigest()}")
    assert "secret" not in note
    assert sources.fetch(source) == [f"{server.url}/sets/My%20pets.zip was downloaded before: {source.path}"]
    assert len(server.asked) == 1
    (tmp_path / "pets.zip").write_bytes(PETS)
    here = datasets.run(tmp_path / "pets.zip", tmp_path / "a" / "out")
    there = datasets.run(source, tmp_path / "b" / "out")
    for split in f.SPLITS:
        assert there.splits[split] == here.splits[split]


@pytest.mark.parametrize("kind", ["parquet", "tfrecords", "cifar10"])
def test_other_files(server: Server, tmp_path: Path, kind: str) -> None:
    raw = list(datasets.images_of({"cat": 10, "dog": 10}).values())
    if kind == "parquet":
        path = datasets.parquet(tmp_path / "a.parquet", {"image": raw, "label": [i // 10 for i in range(20)]})
    elif kind == "tfrecords":
        path = datasets.tfrecords(tmp_path / "a.tfrecord", [{"image": x, "label": i // 10} for i, x in enumerate(raw)])
    else:
        path = datasets.cifar_python(tmp_path / "any.tar.gz", {"data_batch_1": datasets.cifar_rows(1, 60)})
    server.files[f"/{path.name}"] = path.read_bytes(), {}
    source = sources.locate(f"{server.url}/{path.name}", str(tmp_path / "cache"))
    sources.fetch(source)
    outcome = datasets.run(source, tmp_path / "out")
    assert len(outcome.all) == (60 if kind == "cifar10" else 20)


def test_the_hash_in_the_url_is_checked(server: Server, tmp_path: Path) -> None:
    server.files["/pets.zip"] = PETS, {}
    url = f"{server.url}/pets.zip#sha256="
    source = sources.locate(url + hashlib.sha256(PETS).hexdigest().upper(), str(tmp_path))
    assert sources.fetch(source) == []
    assert sources.fetch(source) == []
    assert len(server.asked) == 1
    Path(source.path).write_bytes(PETS[:-1] + b"x")
    with pytest.raises(UserError, match=r"not the published pets\.zip \(its SHA-256 differs\)"):
        sources.fetch(source)
    with pytest.raises(UserError, match="what was downloaded is not the published file"):
        sources.fetch(sources.locate(url + "0" * 64, str(tmp_path / "other")))


def test_the_cache_key_is_of_the_content(server: Server, tmp_path: Path) -> None:
    """Another file at the same URL, downloaded anew, is other data; the same file from elsewhere is the same."""
    keys = []
    for folder, path, content in (("a", "/pets.zip", PETS), ("b", "/x.zip", PETS), ("c", "/pets.zip", PETS + b"\0")):
        server.files[path] = content, {}
        source = sources.locate(server.url + path, str(tmp_path / folder))
        Path(source.path).parent.mkdir(parents=True)
        Path(source.path).write_bytes(content)
        keys.append(fingerprint(source.path, "folder").replace(source.pattern, ""))
    assert len({Path(sources.locate(server.url + path, "").input_base) for path in ("/pets.zip", "/x.zip")}) == 2
    assert keys[0] != keys[2]


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({"ETag": '"1"'}, [None, "bytes=1000000-", "bytes=2000000-"]),
        ({"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}, [None, "bytes=1000000-", "bytes=2000000-"]),
        ({"ETag": 'W/"1"'}, [None] * 5),
        ({}, [None] * 5),
    ],
)
def test_without_a_hash_a_download_is_resumed_only_if_the_file_is_the_same(
    server: Server, tmp_path: Path, headers: dict[str, str], asked: list[str | None]
) -> None:
    server.files["/a.tar"] = LARGE, headers
    server.break_after = 1_000_000
    source = sources.locate(f"{server.url}/a.tar", str(tmp_path))
    with pytest.raises(UserError, match=r"cannot download|no archive"):
        sources.fetch(source)
    assert [wanted for _, wanted in server.asked] == asked


def test_a_file_that_changes_during_the_download_is_not_mixed(server: Server, tmp_path: Path) -> None:
    source = sources.locate(f"{server.url}/pets.zip", str(tmp_path))
    part = Path(source.path + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 100)
    Path(f"{part}.validator").write_text('"old"')
    server.files["/pets.zip"] = PETS, {"ETag": '"new"'}
    sources.fetch(source)
    assert Path(source.path).read_bytes() == PETS
    assert server.asked == [("/pets.zip", "bytes=100-")]
    assert [path.name for path in part.parent.iterdir()] == ["pets.zip"]


PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"
MISTAKES: dict[str, tuple[tuple[bytes, dict[str, str]] | None, str]] = {
    "missing": (None, r"cannot download .*/pets\.zip: the server answers 404 Not Found\. Check the address"),
    "page": (
        (PAGE, {"Content-Type": "text/html; charset=utf-8"}),
        "the server answers with a web page",
    ),
    "page as bytes": ((PAGE, {}), r"no archive, Parquet or TFRecords \(.*\); it was not kept"),
    "empty": ((b"", {}), r"no archive, Parquet or TFRecords \(the file is empty\); it was not kept"),
    "an image": ((next(iter(datasets.images_of({"cat": 1}).values())), {}), "no archive, Parquet or TFRecords"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_get_one_clear_line(server: Server, tmp_path: Path, name: str) -> None:
    file, message = MISTAKES[name]
    if file:
        server.files["/pets.zip"] = file
    source = sources.locate(f"{server.url}/pets.zip", str(tmp_path))
    with pytest.raises(UserError, match=message) as caught:
        sources.fetch(source)
    assert "\n" not in str(caught.value)
    assert server.url in str(caught.value)
    assert not Path(source.path).exists()


def test_a_table_is_not_downloaded(server: Server, tmp_path: Path) -> None:
    server.files["/labels.csv"] = b"path,label\na.png,cat\n", {}
    with pytest.raises(UserError, match="it is a table, and the images that it names are not downloaded"):
        sources.fetch(sources.locate(f"{server.url}/labels.csv", str(tmp_path)))


def test_no_network_says_where_to_put_the_file(tmp_path: Path) -> None:
    source = sources.locate("http://127.0.0.1:9/pets.zip", str(tmp_path))
    with pytest.raises(UserError, match=rf"Connection refused\)\. Without a network: .* put it at {source.path}"):
        sources.fetch(source)
