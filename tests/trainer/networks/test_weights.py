"""The weights of keras.applications are downloaded once, before any stage runs, from a real server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from components.errors import UserError
from components.trainer import networks
from components.trainer.networks import weights
from tests.test_download import Server, running_server

NAME = "resnet50"
__all__ = ["running_server"]


def publish(monkeypatch: pytest.MonkeyPatch, url: str, content: bytes) -> None:
    """Have the weights of NAME published elsewhere."""
    traits = networks.NETWORKS[NAME]
    assert traits.pretraining is not None
    published = traits.pretraining._replace(source=f"{url}/own.h5", md5=hashlib.md5(content).hexdigest())
    monkeypatch.setitem(networks.NETWORKS, NAME, traits._replace(pretraining=published))


def test_downloaded_once_and_resumed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, f"http://127.0.0.1:{server.server_port}", server.content)
    cache = str(tmp_path / "cache")
    target = Path(weights.path(NAME, "imagenet", cache))
    assert target == tmp_path / "cache" / "weights" / "own.h5"
    target.parent.mkdir(parents=True)
    Path(f"{target}.part").write_bytes(server.content[:1_000_000])
    for _ in range(2):
        weights.fetch(NAME, "imagenet", cache)
    assert server.asked == ["bytes=1000000-"]
    assert target.read_bytes() == server.content
    assert weights.sha256(str(target)) == hashlib.sha256(server.content).hexdigest()

    assert weights.is_published(NAME, str(target))

    target.write_bytes(server.content[:-1])
    assert not weights.is_published(NAME, str(target))
    with pytest.raises(UserError, match=r"own\.h5: not the published own\.h5 \(its MD5 differs\)"):
        weights.fetch(NAME, "imagenet", cache)


def test_another_file_is_not_kept(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, f"http://127.0.0.1:{server.server_port}", b"other")
    with pytest.raises(UserError, match=r"trainer\.weights: .*not the published file \(its MD5 differs\)"):
        weights.fetch(NAME, "imagenet", str(tmp_path))
    assert not list((tmp_path / "weights").iterdir())


def test_offline_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, "http://127.0.0.1:9", b"")
    with pytest.raises(UserError) as caught:
        weights.fetch(NAME, "imagenet", str(tmp_path))
    assert str(caught.value) == (
        "trainer.weights: cannot download http://127.0.0.1:9/own.h5 ([Errno 111] Connection refused). Without a "
        f"network: download it elsewhere and put it at {tmp_path}/weights/own.h5; or use --preset photos as it is: "
        "the weights of efficientnet_lite0 come with the package"
    )


def test_what_is_not_downloaded(tmp_path: Path) -> None:
    cases = ("airbench", "imagenet"), ("efficientnet_lite0", "imagenet"), (NAME, "none"), (NAME, "mine.h5")
    for name, named in cases:
        weights.fetch(name, named, str(tmp_path))
    assert [weights.path(name, named, str(tmp_path)) for name, named in cases] == ["", "", "", "mine.h5"]
    assert not list(tmp_path.iterdir())
