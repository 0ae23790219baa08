"""Pushes by the executor that TFX's Pusher runs: one at a time, at once, killed half-way, and to an object store."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import UserError
from components.pusher import incoming, manifest

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
    """All files but the manifest."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {name: content for name, content in found.items() if name != manifest.MANIFEST_FILE}


def another(model: Path) -> dict[str, bytes]:
    """Change the model; its files then."""
    file = model / "Format-Serving" / "variables" / "variables.index"
    file.write_bytes(file.read_bytes() + b"i")
    return contents(model / "Format-Serving")


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
        files = another(model)
        pushed = push(model, base, tmp_path, served=1)
        assert pushed.get_int_custom_property("pushed") == 1
        assert pushed.get_string_custom_property("pushed_version") == str(version)
        assert pushed.get_string_custom_property("pushed_destination") == str(base / str(version))
        record = json.loads((Path(pushed.uri) / "pushed.json").read_text())
        assert record == {"destination": str(base / str(version)), "version": version}
        assert contents(base / str(version)) == files
        assert manifest.damage(str(base / str(version))) == ""
    assert sorted(os.listdir(base)) == ["1", "2"]


def test_a_model_that_is_in_front_already_is_not_pushed_twice(model: Path, tmp_path: Path) -> None:
    """As after a kill between the push and its record; also one without a manifest, which older programs pushed."""
    base = tmp_path / "serving"
    first = push(model, base, tmp_path)
    again = push(model, base, tmp_path)
    (base / "1" / manifest.MANIFEST_FILE).unlink()
    old = push(model, base, tmp_path)
    for pushed in (first, again, old):
        assert pushed.get_string_custom_property("pushed_version") == "1"
        assert pushed.get_string_custom_property("pushed_destination") == str(base / "1")
    assert os.listdir(base) == ["1"]


def test_a_model_that_lies_behind_another_is_pushed_again(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "serving"
    push(model, base, tmp_path)
    another(model)
    push(model, base, tmp_path)
    file = model / "Format-Serving" / "variables" / "variables.index"
    file.write_bytes(FILES["variables/variables.index"])
    assert push(model, base, tmp_path).get_string_custom_property("pushed_version") == "3"


@pytest.mark.parametrize("name", [*FILES, manifest.MANIFEST_FILE])
@pytest.mark.parametrize("how", ["shorter", "other", "gone"])
def test_a_damaged_version_is_named_and_the_model_is_pushed_again(
    name: str, how: str, model: Path, tmp_path: Path
) -> None:
    base = tmp_path / "serving"
    push(model, base, tmp_path)
    file = base / "1" / name
    if how == "gone":
        file.unlink()
    else:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] if how == "shorter" else bytes([content[0] ^ 1]) + content[1:])
    whole = name == manifest.MANIFEST_FILE and how == "gone"  # nothing of the model is lost, and it is read
    assert (name in manifest.damage(str(base / "1"))) is not whole
    assert push(model, base, tmp_path).get_string_custom_property("pushed_version") == ("1" if whole else "2")
    assert contents(base / ("1" if whole else "2")) == FILES


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
    from components.contracts.model import versions as found

    base = tmp_path_factory.mktemp("serving")
    for name in {str(version) for version in versions} | junk:
        (base / name).mkdir()
    assert found(str(base)) == sorted(versions, reverse=True)


def test_a_version_that_appears_meanwhile_is_left_alone(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.pusher import executor

    base = tmp_path / "serving"
    push(model, base, tmp_path)
    (base / "1" / "mine").write_text("first")
    monkeypatch.setattr(executor.model_files, "versions", lambda _: [])
    another(model)
    assert push(model, base, tmp_path).get_string_custom_property("pushed_version") == "2"
    assert (base / "1" / "mine").read_text() == "first"


def test_the_folder_is_a_file(model: Path, tmp_path: Path) -> None:
    (tmp_path / "serving").write_text("")
    for base in (tmp_path / "serving", tmp_path / "serving" / "digits"):
        with pytest.raises(UserError, match=r"cannot push to .* set serving.dir to a folder"):
            push(model, base, tmp_path)


def test_a_failed_copy_leaves_nothing(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from components.pusher import executor

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(executor, "_flush", fail)
    with pytest.raises(OSError, match="No space"):
        push(model, tmp_path / "serving", tmp_path)
    assert os.listdir(tmp_path / "serving") == []


@pytest.mark.slow
def test_killed_half_way_nothing_is_visible(model: Path, tmp_path: Path) -> None:
    """All is copied, and the process is killed before the folder gets its name."""
    base = tmp_path / "serving"
    program = (
        "import sys, time; from components.pusher import executor;"
        "executor._flush = lambda folder: (print('copied', flush=True), time.sleep(600));"
        "executor.push(sys.argv[1], sys.argv[2])"
    )
    command = [sys.executable, "-c", program, str(model / "Format-Serving"), str(base)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"copied\n"
        assert incoming.abandoned(tmp_path) == []
        process.send_signal(signal.SIGKILL)
    (left,) = os.listdir(base)
    assert left.startswith(".incoming-")
    assert incoming.abandoned(tmp_path) == [str(base / left)]
    assert push(model, base, tmp_path).get_string_custom_property("pushed_version") == "1"
    assert sorted(os.listdir(base)) == [left, "1"]


def _push_many(model: str, base: str, count: int, start: Any, results: Any) -> None:
    from components.pusher.executor import push as push_one

    start.wait()
    for _ in range(count):
        (Path(model) / "new").write_text(uuid.uuid4().hex)
        results.put(push_one(model, base))


@pytest.mark.slow
def test_pushers_at_once_never_collide_and_show_only_whole_models(model: Path, tmp_path: Path) -> None:
    base, count = tmp_path / "serving", 25
    exported = [str(shutil.copytree(model / "Format-Serving", tmp_path / f"model-{i}")) for i in range(3)]
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(3), spawn.Queue()
    processes = [spawn.Process(target=_push_many, args=(one, str(base), count, start, results)) for one in exported[1:]]
    for process in processes:
        process.start()
    seen_half: list[Path] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for version in base.glob("[0-9]*"):
                if manifest.damage(str(version)) or contents(version).keys() != {*FILES, "new"}:
                    seen_half.append(version)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _push_many(exported[0], str(base), count, start, results)
    versions = sorted(results.get(timeout=60) for _ in range(3 * count))
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
        files = another(model)
        for _ in range(2):
            pushed = push(model, store, tmp_path)
            assert pushed.get_string_custom_property("pushed_destination") == f"{store}/{version}"
        assert manifest.damage(f"{store}/{version}") == ""
        for name, content in files.items():
            with fileio.open(f"{store}/{version}/{name}", "rb") as file:
                assert file.read() == content
    assert sorted(str(name).rstrip("/") for name in fileio.listdir(store)) == ["1", "2"]


def test_pushers_to_an_object_store_at_once_never_collide(model: Path, tmp_path: Path, store: str) -> None:
    from components.pusher.executor import push as push_one

    versions: list[int] = []

    def many(copy: Path) -> None:
        for number in range(10):
            (copy / "new").write_text(f"{copy} {number}")
            versions.append(push_one(str(copy), store))

    copies = [shutil.copytree(model / "Format-Serving", tmp_path / f"model-{i}") for i in range(4)]
    threads = [threading.Thread(target=many, args=(copy,)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(versions)) == len(versions) == 40


def test_in_an_object_store_the_model_file_comes_last(model: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tfx.dsl.io import fileio

    from components.pusher import executor

    copy = executor.io_utils.copy_file

    def fail(source: str, target: str) -> None:
        if source.endswith("saved_model.pb"):
            raise OSError("the connection is lost")
        copy(source, target)

    monkeypatch.setattr(executor.io_utils, "copy_file", fail)
    with pytest.raises(OSError, match="lost"):
        executor.push(str(model / "Format-Serving"), store)
    assert fileio.exists(f"{store}/1/variables/variables.data")
    assert fileio.exists(f"{store}/1/{manifest.MANIFEST_FILE}")
    assert not fileio.exists(f"{store}/1/saved_model.pb")
    monkeypatch.undo()
    assert executor.push(str(model / "Format-Serving"), store) == 2
