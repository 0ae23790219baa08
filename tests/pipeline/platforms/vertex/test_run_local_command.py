"""`vertex run-local`: what it says before a container starts, and on what it runs."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline import ROOT
from pipeline import config as configs
from pipeline.cli import main
from pipeline.platforms.vertex import local_run
from tests.datasets import write_folder

CLOUD = (
    "vertex.trainer={machine_type: ct5lp-hightpu-4t, tpu_topology: 2x2}",
    "vertex.dataflow.max_workers=3",
    "vertex.deploy.to=endpoint",
)


def test_settings_that_need_google_cloud_are_named_and_left_out() -> None:
    config, _ = configs.load("digits", None, CLOUD)
    assert local_run.absent(config) == [
        "vertex.trainer.machine_type=ct5lp-hightpu-4t",
        "vertex.dataflow.max_workers=3",
        "vertex.deploy.to=endpoint",
    ]
    here = local_run.without_cloud(config)
    assert local_run.absent(here) == []
    assert here.vertex.trainer.strategy == "cpu"
    assert configs.Config.model_validate(here.model_dump()) == here


JOB = {"runtimeConfig": {"gcsOutputDirectory": "gs://mine/artifacts/a", "parameterValues": {"data": "gs://mine/data"}}}


def test_data_of_the_bucket_is_looked_for_in_the_folder_that_takes_its_place(tmp_path: Path) -> None:
    assert local_run.find_data(JOB, tmp_path, "digits") == "digits"
    for data in (None, "gs://other/data"):
        with pytest.raises(local_run.UserError, match=r"does not read gs://(mine|other)/data: give --param data=PATH"):
            local_run.find_data(JOB, tmp_path, data)
    (tmp_path / "bucket" / "data").mkdir(parents=True)
    assert local_run.find_data(JOB, tmp_path, None) == str(tmp_path / "bucket" / "data")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--preset", "digits", "--run-dir", "/dev/null"),
            "cannot write /dev/null/vertex-local: Not a directory",
        ),
        (("--preset", "digits", "--param", "data=/nowhere"), "data '/nowhere': there is no such file or folder"),
        (("--data", "/nowhere"), "/nowhere: there is no such file or folder"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vertex", "run-local", "--run-dir", str(tmp_path), *words]) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line != "loading TFX")
    assert line.startswith(f"error: {message}")


@pytest.mark.slow  # compiles
def test_images_of_this_machine_and_a_spec_for_google_cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.platforms.vertex.local_run import run

    ran: list[tuple[str, dict[str, Any]]] = []

    def record(job: dict[str, Any], folder: Path, parameters: dict[str, Any]) -> run.LocalRun:
        ran.append((json.dumps(job), parameters))
        return run.LocalRun(folder, folder)

    monkeypatch.setattr(run, "run", record)
    images = write_folder(tmp_path / "My images", train=3, test=2)
    settings = [word for setting in CLOUD for word in ("--set", setting)]
    common = ["--run-dir", str(tmp_path), *settings]
    assert main(["vertex", "run-local", "--data", str(images), "--preset", "small", *common]) == 0
    ((job, parameters),) = ran
    assert parameters == {"data": str(images)}
    assert "DataflowRunner" not in job
    assert "ct5lp" not in job.replace('"config"', "")
    assert "note      left out here: vertex.trainer.machine_type=ct5lp-hightpu-4t" in capsys.readouterr().err
    spec = tmp_path / "spec.json"
    workers = ["--set", "vertex.dataflow.max_workers=3"]
    assert main(["vertex", "compile", "--preset", "digits", "--output", str(spec), *workers]) == 0
    assert main(["vertex", "run-local", "--spec", str(spec), "--run-dir", str(tmp_path)]) == 2
    assert f"{spec} was compiled with vertex.dataflow.max_workers=3, and runs here without" in capsys.readouterr().err
    assert len(ran) == 1
    words = ["vertex", "compile", "--preset", "digits", "--set", "vertex.project=my-project", "--output", str(spec)]
    assert main(words) == 0
    assert main(["vertex", "run-local", "--spec", str(spec), "--param", f"data={images}", *common[:2]]) == 0
    assert ran[1][1] == {"data": str(images)}


def containers(folder: Path) -> list[str]:
    """Return the commands of the containers of runs in `folder` that are there."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found.append(process.read_bytes().decode(errors="replace"))
    return [command for command in found if str(folder) in command and "executors.container" in command]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_containers_too(number: signal.Signals, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "vertex",
        "run-local",
        "--preset",
        "digits",
        "--run-dir",
        str(tmp_path),
    ]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell that runs tests in the background makes them deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while not containers(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(number)
    out, _ = process.communicate(timeout=90)
    assert (process.returncode, out.splitlines()[-1]) == (128 + number, "interrupted")
    assert containers(tmp_path) == []
