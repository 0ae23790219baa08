"""ML Metadata on a shared server: two runs at once from an empty database, then one of them again from the cache."""

from __future__ import annotations

import argparse
import collections
import html
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf import text_encoding
from markupsafe import Markup

from components.errors import UserError
from pipeline import config as configs
from pipeline.cli import main
from pipeline.cli import runs as runs_command
from pipeline.tracking import metadata
from tests.datasets import write_folder
from tests.end_to_end import servers
from tests.runs import LENIENT, QUICK, executed, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # several processes each import TensorFlow


@pytest.fixture(scope="module", params=sorted(servers.SERVERS))
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a server, without the database."""
    with servers.SERVERS[request.param]() as port:
        yield f"{request.param}://{servers.USER}:{quote(servers.PASSWORD, safe='')}@127.0.0.1:{port}"


def start(run_dir: Path, data: Path | str, *settings: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline", "run", "--json", "--data", str(data), "--run-dir", str(run_dir)]
    command += [f"--set={setting}" for setting in (*QUICK, *LENIENT, *settings)]
    env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"} | environment
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, screen = process.communicate(timeout=600)
    assert process.returncode == 0, screen
    assert "metadata_source.cc" not in screen, screen  # the clients' own chatter
    assert not_secret(output + screen)
    return dict(json.loads(output))


def not_secret(text: str | bytes) -> bool:
    """Whether the password is nowhere in the text, in no form in which libraries write strings."""
    password = servers.PASSWORD
    forms = {
        password,
        quote(password, safe=""),
        quote(password),
        html.escape(password),
        str(Markup.escape(password)),
        json.dumps(password)[1:-1],
        text_encoding.CEscape(password, as_utf8=False),
        text_encoding.CEscape(password, as_utf8=True),
    }
    data = text.encode() if isinstance(text, str) else text
    assert not [form for form in forms if form.encode() in data]
    return True


def files_below(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def test_two_runs_at_once_are_pushed_and_a_second_run_is_cached(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One on the digits, the other on a folder; nobody has made the database before. The password is nowhere."""
    shared = f"metadata.url={url}/shared"
    folder = write_folder(tmp_path / ("digits" if url.startswith("postgresql") else "Ziffern, übrig 猫"))
    runs = {"digits": (tmp_path / "a", "digits"), "folder": (tmp_path / "b", folder)}
    urls = {"digits": shared, "folder": "metadata.url=env:MLMD"}
    processes = [
        start(run_dir, data, urls[name], f"name={name}", MLMD=f"{url}/shared") for name, (run_dir, data) in runs.items()
    ]
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
    runs_command.command(config, argparse.Namespace(filters=[], sort="when", json=True))
    rows = {row["name"]: row for row in json.loads(capfd.readouterr().out)}
    assert (rows["digits"]["state"], rows["folder"]["state"]) == ("pushed", None)  # the other run directory knows

    secret = tmp_path / "secret"
    secret.write_text(f"{url}/shared\n")
    again = run(*runs["folder"], *LENIENT, f"metadata.url=file:{secret}", "name=folder")
    assert (again.exit_code, executed(again)) == (0, []), again.why

    where = ["--run-dir", str(tmp_path / "b"), "--set", shared]
    first = next(iter(sorted((tmp_path / "b" / "runs").iterdir()))).name
    compare = ["compare", first, again.run_id, "--html"]
    for command in (["report", "--rebuild"], compare, ["card", "folder/1"], ["lineage", "folder/1"], ["config"]):
        assert main([*command, *where]) == 0
    assert not_secret("".join(capfd.readouterr()))
    written = [*files_below(tmp_path / "a"), *files_below(tmp_path / "b")]
    assert {"run.log", "config.yaml", "report.html", "result.json", "card.html"} <= {file.name for file in written}
    assert all(not_secret(file.read_bytes()) for file in written)
    known = [*store.get_executions(), *store.get_artifacts(), *store.get_contexts()]
    assert known
    assert all(not_secret(str(one)) for one in known)

    # What the run of the whole URL stored asks for it; what was kept elsewhere is found there again.
    stored = {name: str(min((run_dir / "runs").glob("*/config.yaml"))) for name, (run_dir, _) in runs.items()}
    assert main(["run", "--config", stored["digits"]]) == 2
    assert "its password was masked here (***); give the whole URL with --set" in capfd.readouterr().err
    assert configs.load(None, stored["folder"])[0].model_dump()["metadata"] == {"url": "env:MLMD"}


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

    from pipeline.tracking import server_setup

    config = configs.load("digits", None, (f"run_dir={tmp_path}", f"metadata.url={url}/sorted"))[0]
    store = metadata.open_store(config)
    types = [store.put_artifact_type(pb.ArtifactType(name=name)) for name in ("First", "Second")]
    ids = store.put_artifacts([pb.Artifact(type_id=kind, uri=f"/{i}") for i, kind in enumerate([*types[::-1], *types])])
    with server_setup.on_server(store, url.partition(":")[0], pipeline_pb2.Pipeline()):
        for order in (ids, ids[::-1], ids[1:3]):
            assert [artifact.id for artifact in store.get_artifacts_by_id(order)] == list(order)
