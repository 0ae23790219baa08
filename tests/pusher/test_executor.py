"""Pushes by the executor that TFX's Pusher runs: one at a time, at once, killed half-way, and to an object store."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import UserError

FILES = {"saved_model.pb": b"graph", "variables/variables.index": b"i", "variables/variables.data": b"v" * 4096}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The uri of a Model artifact."""
    for name, content in FILES.items():
        path = tmp_path / "model" / "Format-Serving" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "model"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def push(model: Path, base: Path | str, tmp_path: Path, blessed: int = 1, served: int | None = None) -> Any:
    """Runs the executor; returns the PushedModel artifact."""
    from google.protobuf import json_format
    from tfx.proto import pusher_pb2
    from tfx.types import standard_artifacts

    from components.pusher.executor import Executor

    artifact, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
    artifact.uri = str(model)
    blessing.set_int_custom_property("blessed", blessed)
    inputs = {"model": [artifact], "model_blessing": [blessing]}
    if served is not None:
        infra = standard_artifacts.InfraBlessing()
        infra.set_int_custom_property("blessed", served)
        inputs["infra_blessing"] = [infra]
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(tmp_path / "pushed" / uuid.uuid4().hex)
    destination = pusher_pb2.PushDestination()
    destination.filesystem.base_directory = str(base)
    properties = {"push_destination": json_format.MessageToJson(destination), "code_fingerprint": "0"}
    Executor().Do(inputs, {"pushed_model": [pushed]}, properties)
    return pushed


def test_a_blessed_model_gets_the_next_version(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "serving dir" / "digits"
    for version in (1, 2):
        pushed = push(model, base, tmp_path, served=1)
        assert pushed.get_int_custom_property("pushed") == 1
        assert pushed.get_string_custom_property("pushed_version") == str(version)
        assert pushed.get_string_custom_property("pushed_destination") == str(base / str(version))
        record = json.loads((Path(pushed.uri) / "pushed.json").read_text())
        assert record == {"destination": str(base / str(version)), "version": version}
        assert contents(base / str(version)) == FILES
    assert sorted(os.listdir(base)) == ["1", "2"]


@pytest.mark.parametrize(("blessed", "served"), [(0, 1), (1, 0), (0, None)])
def test_a_model_that_is_not_blessed_is_not_pushed(
    blessed: int, served: int | None, model: Path, tmp_path: Path
) -> None:
    pushed = push(model, tmp_path / "serving", tmp_path, blessed, served)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not (tmp_path / "serving").exists()


@given(
    versions=st.sets(st.integers(1, 10**12), max_size=5),
    junk=st.sets(st.sampled_from(["x", ".incoming-1", "1.5", "-3", "٣", "7 ", "latest", "²"])),
)
def test_only_versions_count(versions: set[int], junk: set[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    from components.pusher.executor import _latest

    base = tmp_path_factory.mktemp("serving")
    for name in {str(version) for version in versions} | junk:
        (base / name).mkdir()
    assert _latest(str(base)) == max(versions, default=0)


def test_a_version_that_appears_meanwhile_is_left_alone(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.pusher import executor

    base = tmp_path / "serving"
    push(model, base, tmp_path)
    (base / "1" / "mine").write_text("first")
    monkeypatch.setattr(executor, "_latest", lambda _: 0)
    assert push(model, base, tmp_path).get_string_custom_property("pushed_version") == "2"
    assert (base / "1" / "mine").read_text() == "first"


def test_the_folder_is_a_file(model: Path, tmp_path: Path) -> None:
    (tmp_path / "serving").write_text("")
    for base in (tmp_path / "serving", tmp_path / "serving" / "digits"):
        with pytest.raises(UserError, match=r"cannot push to .* set serving.dir to a folder"):
            push(model, base, tmp_path)


def test_a_failed_copy_leaves_nothing(model: Path, tmp_path: Path) -> None:
    from tfx.dsl.io.fileio import NotFoundError

    (model / "Format-Serving" / "variables" / "gone").symlink_to(tmp_path / "nothing")
    with pytest.raises(NotFoundError):
        push(model, tmp_path / "serving", tmp_path)
    assert os.listdir(tmp_path / "serving") == []


@pytest.mark.slow
def test_killed_half_way_nothing_is_visible(model: Path, tmp_path: Path) -> None:
    """The copy waits at a pipe that nobody writes to, and is killed there."""
    base = tmp_path / "serving"
    pipe = model / "Format-Serving" / "variables" / "zzz"
    os.mkfifo(pipe)
    program = (
        "import sys; from components.pusher.executor import push; print('start', flush=True);"
        "push(sys.argv[1], sys.argv[2])"
    )
    command = [sys.executable, "-c", program, str(model / "Format-Serving"), str(base)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"start\n"
        while not list(base.glob(".incoming-*/saved_model.pb")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    pipe.unlink()
    (left,) = os.listdir(base)
    assert left.startswith(".incoming-")
    assert push(model, base, tmp_path).get_string_custom_property("pushed_version") == "1"
    assert sorted(os.listdir(base)) == [left, "1"]


def _push_many(model: str, base: str, count: int, start: Any, results: Any) -> None:
    from components.pusher.executor import push as push_one

    start.wait()
    results.put([push_one(model, base) for _ in range(count)])


@pytest.mark.slow
def test_pushers_at_once_never_collide_and_show_only_whole_models(model: Path, tmp_path: Path) -> None:
    base, exported, count = tmp_path / "serving", str(model / "Format-Serving"), 25
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(3), spawn.Queue()
    arguments = (exported, str(base), count, start, results)
    processes = [spawn.Process(target=_push_many, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    seen_half: list[Path] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for version in base.glob("[0-9]*"):
                if contents(version) != FILES:
                    seen_half.append(version)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _push_many(exported, str(base), count, start, results)
    versions = sorted(version for _ in range(3) for version in results.get(timeout=60))
    for process in processes:
        process.join()
    done.set()
    watcher.join()
    assert versions == list(range(1, 3 * count + 1))
    assert sorted(int(name) for name in os.listdir(base)) == versions
    assert seen_half == []


@pytest.fixture
def store() -> str:
    """A folder of TensorFlow's in-memory file system: reached by a scheme, as object stores are."""
    return f"ram://{uuid.uuid4().hex}/serving"


def test_an_object_store(model: Path, tmp_path: Path, store: str) -> None:
    from tfx.dsl.io import fileio

    for version in (1, 2):
        pushed = push(model, store, tmp_path)
        assert pushed.get_string_custom_property("pushed_destination") == f"{store}/{version}"
        for name, content in FILES.items():
            with fileio.open(f"{store}/{version}/{name}", "rb") as file:
                assert file.read() == content
    assert sorted(str(name).rstrip("/") for name in fileio.listdir(store)) == ["1", "2"]


def test_pushers_to_an_object_store_at_once_never_collide(model: Path, store: str) -> None:
    from components.pusher.executor import push as push_one

    versions: list[int] = []

    def many() -> None:
        for _ in range(10):
            versions.append(push_one(str(model / "Format-Serving"), store))

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(versions)) == len(versions) == 40


def test_in_an_object_store_the_model_file_comes_last(model: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tfx.dsl.io import fileio

    from components.pusher import executor

    def fail(*_: Any) -> None:
        raise OSError("the connection is lost")

    monkeypatch.setattr(executor.io_utils, "copy_file", fail)
    with pytest.raises(OSError, match="lost"):
        executor.push(str(model / "Format-Serving"), store)
    assert fileio.exists(f"{store}/1/variables/variables.data")
    assert not fileio.exists(f"{store}/1/saved_model.pb")
    monkeypatch.undo()
    assert executor.push(str(model / "Format-Serving"), store) == 2
