"""ML Metadata on a shared server: two runs at once from an empty database, then one of them again from the cache."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from components.errors import UserError
from pipeline import config as configs
from pipeline import history, metadata
from tests.end_to_end import servers
from tests.end_to_end.support import QUICK, executed, run, write_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # several processes each import TensorFlow


@pytest.fixture(scope="module", params=sorted(servers.SERVERS))
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a server, without the database."""
    with servers.SERVERS[request.param]() as port:
        yield f"{request.param}://{servers.USER}:{quote(servers.PASSWORD, safe='')}@127.0.0.1:{port}"


def start(run_dir: Path, data: Path | str, *settings: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline", "run", "--json", "--data", str(data), "--run-dir", str(run_dir)]
    command += [f"--set={setting}" for setting in (*QUICK, *settings)]
    env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, screen = process.communicate(timeout=600)
    assert process.returncode == 0, screen
    assert "metadata_source.cc" not in screen, screen  # the clients' own chatter
    return dict(json.loads(output))


def test_two_runs_at_once_are_pushed_and_a_second_run_is_cached(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One on the digits, the other on a folder; nobody has made the database before."""
    shared = f"metadata.url={url}/shared"
    folder = write_folder(tmp_path / ("digits" if url.startswith("postgresql") else "Ziffern, übrig 猫"))
    runs = {"digits": (tmp_path / "a", "digits"), "folder": (tmp_path / "b", folder)}
    processes = [start(run_dir, data, shared, f"name={name}") for name, (run_dir, data) in runs.items()]
    for name, result in zip(runs, [ended(process) for process in processes]):
        assert result["blessed"], name
        assert result["pushed"]["path"] == str(runs[name][0] / "serving" / name / "1")
        assert Path(result["pushed"]["path"], "saved_model.pb").exists()
        assert Path(result["report"]).exists()

    config = configs.load("digits", None, (f"run_dir={tmp_path / 'a'}", shared))[0]
    store = metadata.open_store(config)
    for types in (store.get_artifact_types(), store.get_execution_types(), store.get_context_types()):
        twice = [name for name, count in collections.Counter(kind.name for kind in types).items() if count > 1]
        assert twice == []
    assert sorted(one.pipeline for one in metadata.runs(store)) == ["digits", "folder"]
    assert not (tmp_path / "a" / metadata.SQLITE_FILE).exists()
    history.show(config, [], "when", as_json=True)
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["digits"]["ended"], rows["folder"]["ended"]) == ("done", None)  # the other run directory knows

    again = run(*runs["folder"], shared, "name=folder")
    assert (again.exit_code, executed(again)) == (0, []), again.why


def test_what_postgresql_cannot_store_is_refused_before_the_first_stage(url: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "Ziffern 猫", train=8, test=4)
    result = run(tmp_path / "runs", folder, f"metadata.url={url}/names", last="ExampleGen")
    if url.startswith("postgresql"):
        assert result.exit_code == 2
        assert result.why[0].startswith("ML Metadata on PostgreSQL cannot store input_config of ExampleGen")
    else:
        assert (result.exit_code, executed(result)) == (0, ["ExampleGen"]), result.why


def test_what_another_run_directory_is_running_is_left_alone(url: str, tmp_path: Path) -> None:
    """Ctrl-C and `doctor --fix` cancel what is left RUNNING, and here only what they may."""
    from ml_metadata.proto import metadata_store_pb2 as pb

    config = configs.load("digits", None, (f"run_dir={tmp_path}", f"metadata.url={url}/two_runs"))[0]
    store = metadata.open_store(config)
    kind = store.put_execution_type(pb.ExecutionType(name="Trainer"))
    of_run = store.put_context_type(pb.ContextType(name="pipeline_run"))
    for run_id in ("mine", "theirs"):
        execution = pb.Execution(type_id=kind, name=run_id, last_known_state=pb.Execution.RUNNING)
        store.put_execution(execution, [], [pb.Context(type_id=of_run, name=run_id)])
    metadata.cancel(store, metadata.left_running(metadata.executions(store, ["mine"])))
    states = {execution.name: execution.last_known_state for execution in store.get_executions()}
    assert states == {"mine": pb.Execution.CANCELED, "theirs": pb.Execution.RUNNING}


def test_a_wrong_password_is_one_clear_line(url: str, tmp_path: Path) -> None:
    wrong = url.replace(quote(servers.PASSWORD, safe=""), "wrong") + "/any"
    with pytest.raises(UserError, match=r"^cannot open ML Metadata \(metadata\.url\): .*password") as refused:
        metadata.open_store(configs.load("digits", None, (f"run_dir={tmp_path}", f"metadata.url={wrong}"))[0])
    assert "\n" not in str(refused.value)


def test_artifacts_come_in_the_order_in_which_they_are_asked_for(url: str, tmp_path: Path) -> None:
    """TFX's cache takes it for granted, and PostgreSQL has no order of its own."""
    from ml_metadata.proto import metadata_store_pb2 as pb
    from tfx.proto.orchestration import pipeline_pb2

    from pipeline import registration

    config = configs.load("digits", None, (f"run_dir={tmp_path}", f"metadata.url={url}/sorted"))[0]
    store = metadata.open_store(config)
    types = [store.put_artifact_type(pb.ArtifactType(name=name)) for name in ("First", "Second")]
    ids = store.put_artifacts([pb.Artifact(type_id=kind, uri=f"/{i}") for i, kind in enumerate([*types[::-1], *types])])
    with registration.on_server(store, url, pipeline_pb2.Pipeline()):
        for order in (ids, ids[::-1], ids[1:3]):
            assert [artifact.id for artifact in store.get_artifacts_by_id(order)] == list(order)
