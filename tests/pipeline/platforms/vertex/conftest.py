"""Google Cloud on loopback, a compiled pipeline, and the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.pipeline.platforms.vertex.fakes import PROJECT, GoogleCloud, serving

if TYPE_CHECKING:
    from pipeline.config import Config


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline of CIFAR-10, as `vertex compile` writes it."""
    from pipeline import config
    from pipeline.platforms.vertex import compile

    path = tmp_path_factory.mktemp("spec") / "pipeline.json"
    settings = (f"vertex.project={PROJECT}",)
    path.write_text(json.dumps(compile.spec(config.load("cifar10", None, settings)[0])))
    return path


@pytest.fixture(scope="session")
def compiled() -> dict[str, Any]:
    """The specs that tests with settings of their own compiled, by the configuration."""
    return {}


@pytest.fixture
def standin() -> GoogleCloud:
    """The cloud of a test; a module whose tests need more of it has its own."""
    return GoogleCloud()


@pytest.fixture
def cloud(standin: GoogleCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleCloud]:
    from pipeline.platforms.vertex import cloud, status

    monkeypatch.setattr(cloud, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(status, "PACE", (0.01, 0.01))
    with serving(standin, tmp_path) as environment:
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        yield standin


@pytest.fixture
def deploy(cloud: GoogleCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Register and deploy the next version, as the Pusher does it."""
    from pipeline import config as configs
    from pipeline.platforms.vertex import cloud as clouds
    from pipeline.platforms.vertex import operations
    from pipeline.platforms.vertex.serving import Serving

    monkeypatch.setattr(operations, "PACE", 0.01)
    monkeypatch.setattr(clouds, "RETRY_DEADLINE", 2.0)
    config, _ = configs.load("cifar10", None, (f"vertex.project={PROJECT}",))

    def next_version(traffic: int = 100) -> None:
        serving = Serving(clouds.connect(config.vertex), config.vertex, "cifar10")
        folder = f"gs://bucket/serving/{len(serving.registry.versions()) + 1}"
        serving.deploy(serving.registry.register(folder, "image", "text", {}, None), traffic)

    return next_version


@pytest.fixture
def vertex(
    cloud: GoogleCloud,
    spec: Path,
    compiled: dict[str, Any],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Answer]:
    """`image-pipeline vertex …` on the stand-in; `submit` and `schedule` with the pipeline compiled before.

    Not with settings of a test, which would be refused beside it.
    """
    from pipeline.cli import main
    from pipeline.platforms.vertex import compile

    compile_spec = compile.spec

    def compile_once(config: Config) -> dict[str, Any]:
        key = config.model_dump_json()
        if key not in compiled:
            compiled[key] = compile_spec(config)
        return compiled[key]

    monkeypatch.setattr(compile, "spec", compile_once)

    def run(*words: str) -> Answer:
        more = ["--spec", str(spec)] if words[0] in ("submit", "schedule") and "--set" not in words else []
        code = main(["vertex", *words, *more, "--preset", "cifar10", "--set", f"vertex.project={PROJECT}"])
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err.removeprefix("loading TFX\n"))

    return run
