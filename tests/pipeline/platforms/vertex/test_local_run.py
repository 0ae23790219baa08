"""A compiled spec on this machine, a process for each container."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from google.cloud import aiplatform_v1

from components.contracts import counts
from components.contracts.findings import FINDINGS_FILE
from components.contracts.run_result import ExitCode
from components.contracts.training import HISTORY_FILE
from components.errors import UserError
from pipeline import config as configs
from pipeline.platforms.vertex import compile
from pipeline.platforms.vertex.local_run import run as local_run
from pipeline.platforms.vertex.local_run.artifacts import Store
from pipeline.platforms.vertex.local_run.container import JOB_FILE, Jobs
from pipeline.platforms.vertex.local_run.tasks import Tasks
from tests.datasets import write_folder

SMALL = ("trainer.width=8", "transform.size=16", "vertex.bucket=my-bucket")


def stored(root: Path) -> Store:
    store = Store(root / "artifacts.jsonl")
    store.add({"name": "a", "uri": "/a", "metadata": {"blessed": 1, "current_model_id": "m"}}, "tfx.ModelBlessing")
    store.add({"name": "b", "uri": "/b", "metadata": {"blessed": 0}}, "tfx.ModelBlessing")
    store.add({"name": "m", "uri": "/m"}, "tfx.Model")
    return store


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ('schema_title="tfx.ModelBlessing" AND state=LIVE', "b"),
        ('schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1', "a"),
        ("schema_title=\"tfx.Model\" AND name=\"{{$.inputs.artifacts['input'].metadata['current_model_id']}}\"", "m"),
        ('schema_title="tfx.Examples"', None),
        ('metadata.current_model_id.string_value="m"', "a"),
        ('metadata.current_model_id.string_value="other"', None),
    ],
)
def test_a_resolver_finds_the_latest_that_matches(query: str, name: str | None, tmp_path: Path) -> None:
    store = stored(tmp_path)
    blessing = store.find('metadata.current_model_id.string_value="m"', {})
    assert blessing is not None
    found = store.find(query, {"input": blessing})
    assert (found and found["name"]) == name


def test_a_filter_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not understood: 'create_time>3'"):
        stored(tmp_path).find('schema_title="tfx.Model" AND create_time>3', {})


def test_a_file_that_is_no_spec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the spec is not what `vertex compile` writes"):
        Tasks({"pipelineSpec": {}}, tmp_path)


def job_of(*commands: str, replicas: int = 1) -> dict[str, Any]:
    pools = [
        {"replica_count": replicas, "container_spec": {"image_uri": "x", "command": ["python", "-c", command]}}
        for command in commands
    ]
    return {"display_name": "job", "job_spec": {"worker_pool_specs": pools}}


def test_each_machine_of_a_custom_job_is_a_process_that_knows_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THIS_PROCESS", "1")
    show = "import os; print(os.environ['TF_CONFIG']); print(sorted(os.environ))"
    jobs = Jobs(tmp_path)
    job = jobs.create_custom_job("projects/p/locations/x", job_of(show, show, replicas=2))
    assert jobs.get_custom_job(job.name).state == aiplatform_v1.JobState.JOB_STATE_SUCCEEDED
    logs = sorted(tmp_path.rglob("*.log"))
    assert [log.stem for log in logs] == ["workerpool0-0", "workerpool0-1", "workerpool1-0", "workerpool1-1"]
    configs_of = [json.loads(log.read_text().splitlines()[0]) for log in logs]
    (cluster,) = {json.dumps(config["cluster"]) for config in configs_of}
    addresses = [address for role in json.loads(cluster).values() for address in role]
    assert len(set(addresses)) == 4
    tasks = [(config["task"]["type"], config["task"]["index"]) for config in configs_of]
    assert tasks == [("chief", 0), ("chief", 1), ("worker", 0), ("worker", 1)]
    assert "SECRET_OF_THIS_PROCESS" not in logs[0].read_text()
    (written,) = tmp_path.rglob(JOB_FILE)
    assert json.loads(written.read_text())["displayName"] == "job"


def test_a_job_with_a_folder_is_told_where_its_logs_go(tmp_path: Path) -> None:
    job = job_of("import os; print(os.environ['AIP_TENSORBOARD_LOG_DIR'])")
    job["job_spec"]["base_output_directory"] = {"output_uri_prefix": "/bucket/model_run"}
    Jobs(tmp_path).create_custom_job("p", job)
    (log,) = tmp_path.rglob("*.log")
    assert log.read_text() == "/bucket/model_run/logs/\n"


def test_a_machine_that_fails_ends_the_others_and_the_job(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    job = jobs.create_custom_job("p", job_of("import time; time.sleep(600)", "raise SystemExit(7)"))
    assert job.state == aiplatform_v1.JobState.JOB_STATE_FAILED
    assert job.error.message == "The replica workerpool1-0 exited with a non-zero status of 7."


@pytest.mark.slow
def test_every_task_comes_after_those_that_it_needs(tmp_path: Path) -> None:
    config, _ = configs.load("digits", None, SMALL)
    job = compile.spec(config)
    order = Tasks(job, tmp_path).order()
    assert sorted(order) == sorted(job["pipelineSpec"]["root"]["dag"]["tasks"])
    for name, task in job["pipelineSpec"]["root"]["dag"]["tasks"].items():
        for needed in task.get("dependentTasks", []):
            assert order.index(needed) < order.index(name)


@pytest.mark.slow
def test_the_first_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ExampleGen, its driver before it, on a folder; and on a path that does not exist, which ends the run."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "not a number")  # which no container has
    config, _ = configs.load("small", None, (*SMALL, "data.source=gs://my-bucket/data/images"))
    job = compile.spec(config)
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    job["pipelineSpec"]["root"]["dag"]["tasks"] = {name: tasks[name] for name in ("ExampleGen", "PreviousData")}
    write_folder(tmp_path / "bucket" / "data" / "images", train=10, test=5)
    screen = io.StringIO()
    ended = local_run.run(job, tmp_path, {}, screen)
    assert ended.exit_code == ExitCode.DONE, screen.getvalue()
    examples = ended.uri("ExampleGen", "examples")
    assert sum(counts.read(examples).splits["train"].values()) == 27
    assert examples.startswith(f"{tmp_path}/bucket/artifacts/images/")
    ended = local_run.run(job, tmp_path, {"data": "/nowhere"}, screen)
    local_run.show(ended, screen)
    assert ended.states["ExampleGen"] == "failed"
    assert ended.exit_code == ExitCode.FAILED
    assert "UserError: /nowhere: there is no such file or folder" in screen.getvalue()


@pytest.mark.chaos
def test_data_that_cannot_be_trusted_ends_the_run(tmp_path: Path) -> None:
    """A folder of images, a fifth of them damaged: the gate refuses, and nothing is trained."""
    data = write_folder(tmp_path / "images", train=10, test=5)
    for number in range(2):
        (data / "train" / "one" / f"{number:04d}.png").write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
    config, _ = configs.load("small", None, (*SMALL, "data.source=gs://my-bucket/data/images"))
    screen = io.StringIO()
    ended = local_run.run(compile.spec(config), tmp_path / "runs", {"data": str(data)}, screen)
    local_run.show(ended, screen)
    text = screen.getvalue()
    assert ended.exit_code == ExitCode.REFUSED, text
    assert ended.states["DataGate"] == "refused"
    assert "Trainer" not in ended.states
    assert re.search(r"refused   DataGate: .*2 of 45 images \(4\.4%\) cannot be used", text)
    assert {"ExampleGen.log", "DataGate.log"} <= set(os.listdir(ended.logs))


FEW = {"epochs": 2, "min_accuracy": 0.0, "min_class_recall": 0.0}


@pytest.mark.chaos
def test_whole_runs(tmp_path: Path) -> None:
    """The digits on two workers; again, beside the first as its baseline, and refused."""
    config, _ = configs.load("digits", None, (*SMALL, "vertex.trainer.workers=2"))
    job, screen = compile.spec(config), io.StringIO()
    first = local_run.run(job, tmp_path, FEW, screen)
    assert first.exit_code == ExitCode.DONE, screen.getvalue()
    assert len(history(first)) == 2
    assert (tmp_path / "bucket" / "serving" / "digits" / "1" / "saved_model.pb").exists()
    assert json.loads((Path(first.uri("DataGate", "findings")) / FINDINGS_FILE).read_text()) == []
    second = local_run.run(job, tmp_path, FEW | {"min_accuracy": 0.99999}, screen)
    assert second.exit_code == ExitCode.REFUSED
    assert second.uri("Baseline-model-resolver", "model") == first.uri("Trainer", "model")
    assert second.made["Pusher"]["pushed_model"]["metadata"]["pushed"] == 0


@pytest.mark.chaos
def test_a_search_and_a_warm_start_after_a_training_that_was_killed(tmp_path: Path) -> None:
    """The first run's training is killed; the second trains; the third searches and begins with the second's model."""
    config, _ = configs.load("digits", None, SMALL)
    job, screen = compile.spec(config), io.StringIO()
    killer = threading.Thread(target=kill, args=("TrainerInJob", tmp_path))
    killer.start()
    killed = local_run.run(job, tmp_path, FEW, screen)
    killer.join()
    local_run.show(killed, screen)
    assert killed.states["Trainer"] == "failed"
    assert "Evaluator" not in killed.states
    assert killed.exit_code == ExitCode.FAILED
    assert "did not succeed: The replica workerpool0-0 exited with a non-zero status of -9." in screen.getvalue()
    cold = local_run.run(job, tmp_path, FEW, screen)
    assert cold.exit_code == ExitCode.DONE, screen.getvalue()
    space = "tuner.space={learning_rate: [0.01, 0.02]}"
    config, _ = configs.load("digits", None, (*SMALL, "tuner.trials=2", space, "warm_start=true"))
    warm = local_run.run(compile.spec(config), tmp_path, FEW, screen)
    assert warm.exit_code == ExitCode.DONE, screen.getvalue()
    assert warm.uri("WarmStart-model-resolver", "model") == cold.uri("Trainer", "model")
    assert (Path(warm.uri("Tuner", "tuner_results")) / "tuner_results.json").exists()
    assert history(warm)[0]["val_accuracy"] > history(cold)[0]["val_accuracy"]


def history(ended: local_run.LocalRun) -> list[dict[str, float]]:
    """Return what the Trainer recorded of each epoch."""
    epochs: list[dict[str, float]] = json.loads((Path(ended.uri("Trainer", "model_run")) / HISTORY_FILE).read_text())
    return epochs


def kill(executor: str, folder: Path) -> None:
    """Wait until a training of a run in `folder` has begun, and kill its process, as a machine that is lost would."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # the process has ended
                text = command.read_bytes().decode(errors="replace")
                if executor in text and str(folder) in text and "local_run.container" not in text:
                    os.kill(int(command.parent.name), signal.SIGKILL)
                    return
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("import os, signal; print('step 7'); os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL; .*: step 7"),
        ("import os; os._exit(4)", "exit code 4; the last line of its log: nothing"),
        ("raise ValueError('no such label')", "ValueError: no such label"),
    ],
)
def test_a_container_that_fails_is_explained(command: str, why: str, tmp_path: Path) -> None:
    config, _ = configs.load("digits", None, SMALL)
    job = compile.spec(config)
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    job["pipelineSpec"]["root"]["dag"]["tasks"] = {"ExampleGen": tasks["ExampleGen"]}
    (executor,) = (
        each["container"]
        for each in job["pipelineSpec"]["deploymentSpec"]["executors"].values()
        if "lifecycle" in each.get("container", {})
    )
    del executor["lifecycle"]
    executor["command"], executor["args"] = ["python", "-m", "timeit", "-n1", "-r1", command], []
    ended = local_run.run(job, tmp_path, {}, io.StringIO())
    assert ended.states == {"ExampleGen": "failed"}
    assert re.fullmatch(why, ended.why)
