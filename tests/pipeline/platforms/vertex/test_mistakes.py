"""What cannot work on Vertex AI is refused by `compile` and `submit` alike, in one line, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main
from pipeline.platforms.vertex import machines
from tests.pipeline.platforms.vertex.fakes import PROJECT

SETTINGS = {
    "project=My Project": "write the id of the project",
    "project=123456789012": "not its number or title; `gcloud projects list` shows it",
    "project=my-project-": "write the id of the project",
    "region=us-central1-a": "write a region without the letter of a zone, for example us-central1",
    "region=us-centrall1": "'us-centrall1' is no region of Vertex AI; did you mean us-central1?",
    "region=global": "'global' (--set): write a region",
    "bucket=gs://my-bucket": "write the name of the bucket alone: my-bucket",
    "bucket=gs://my-bucket/artifacts": "write the name of the bucket alone: my-bucket",
    "bucket=My_Bucket": "the name of a bucket has small letters, digits",
    "bucket=my..bucket": "the name of a bucket has small letters, digits",
    "bucket=192.168.0.1": "the name of a bucket has small letters, digits",
    "bucket=my-google-data": "and no `google`",
    "image=us-central1-docker.pkg.dev/my-project": "write an image with its registry: REGION-docker.pkg.dev/",
    "image=image-classification:latest": "write an image with its registry: REGION-docker.pkg.dev/",
    "service_account=runner": "write NAME@PROJECT.iam.gserviceaccount.com",
    "network=default": "write projects/NUMBER/global/networks/NAME, with the number of the project: `gcloud",
    "network=projects/my-project/global/networks/default": "write projects/NUMBER/global/networks/NAME",
    "network_attachment=mine": "write projects/PROJECT/regions/REGION/networkAttachments/NAME",
    "network_attachment=projects/p/regions/europe-west4/networkAttachments/a": "is not in region us-central1",
    "tensorboard=mine": "write projects/PROJECT/locations/REGION/tensorboards/NUMBER: `gcloud ai tensorboards list",
    "tensorboard=projects/p/locations/europe-west4/tensorboards/1": "is not in region us-central1: give one of that",
    "tensorboard=projects/p/locations/us-central1/tensorboards/1": "as a service account: give service_account too",
    "experiment=My flowers": "write small letters, digits and -, at most 128: flowers-2026",
    "encryption_key=my-key": "write projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY",
    "encryption_key=projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k": "is not in region us-central1",
    "dataflow.subnetwork=default": "write regions/REGION/subnetworks/NAME",
    "dataflow.machine_type=e2-standard-5": "e2-standard has 2, 4, 8, 16, 32 cores: write e2-standard-8",
    "labels.Team=vision": "the label 'Team': a key has small letters",
    "labels.team=Computer vision": "the value 'Computer vision' of the label 'team': small letters",
    "labels.content=x": "the label 'content' is set by Google or by `submit`",
    "labels.pipeline_run=x": "the label 'pipeline_run' is set by Google or by `submit`",
    "labels={5: x}": "the label '5': a key has small letters",
    "labels={team: " + "名" * 43 + "}": "at most 128 bytes",
    "cpu=true": "'vertex.cpu' = True (--set): input should be a number, not true",
    "trainer.timeout_hours=.inf": "input should be a finite number",
    "trainer.timeout_hours=0.00001": "input should be greater than or equal to 0.1",
    "trainer.accelerator=NVIDIA_T4": "no accelerator of Vertex AI has this name; did you mean NVIDIA_TESLA_T4?",
    "trainer.accelerator=nvidia-tesla-v100": "did you mean NVIDIA_TESLA_V100?",
    "trainer.machine_type=n1-standrad-8": "no machine type has this name; did you mean n1-standard-8?",
    "trainer.machine_type=n1-standard-6": "n1-standard has 1, 2, 4, 8, 16, 32, 64, 96 cores: write n1-standard-8",
    "trainer.machine_type=g2-standard-8": "g2-standard-8 needs accelerator NVIDIA_L4 and accelerator_count 1",
    "trainer.accelerator=NVIDIA_L4": "NVIDIA_L4 comes with machine_type g2-standard-4 or",
    "trainer={accelerator: NVIDIA_TESLA_T4, accelerator_count: 3}": "is one of 1, 2, 4, not 3",
    "trainer={accelerator: NVIDIA_TESLA_T4, machine_type: e2-standard-4}": "needs machine_type n1-…",
    "trainer={machine_type: ct5lp-hightpu-1t, tpu_topology: 1x1, parallel_trials: 2}": "a search on a TPU is on one",
    "deploy.traffic=10": "traffic 10 is a share of an endpoint: set deploy.to to endpoint",
    "deploy={to: endpoint, traffic: 0}": "greater than or equal to 1",
    "deploy.machine_type=n1-standart-2": "did you mean n1-standard-2?",
    "deploy.machine_type=a2-highgpu-1g": "it has GPUs, which only vertex.trainer uses",
}
PARAMETERS = {
    "epochs=-5": "--param epochs=-5: input should be greater than or equal to 1",
    "epochs=1.5": "--param epochs=1.5: it is a whole number",
    "epochs=": "--param epochs=: it is a whole number",
    "epochs=1_000": "--param epochs=1_000: it is a whole number",
    "epochs=٣": "--param epochs=٣: it is a whole number",
    "epochs=99999999999999999999": "a whole number is at most 9007199254740992 on Vertex AI",
    "batch_size=0": "--param batch_size=0: input should be greater than or equal to 1",
    "learning_rate=0": "--param learning_rate=0: input should be greater than 0",
    "learning_rate=inf": "--param learning_rate=inf: it is a number",
    "min_accuracy=7": "--param min_accuracy=7: minimum of accuracy must be a fraction from 0 to 1, not 7",
    "max_drop=-1": "--param max_drop=-1: max_drop of accuracy must be a fraction from 0 to 1, not -1",
    "min_class_recall=nan": "--param min_class_recall=nan: it is a number",
    "max_rejected=2": "--param max_rejected=2: input should be less than or equal to 1",
    "trainer.epochs=3": "the pipeline has no parameter 'trainer.epochs'; did you mean epochs?",
    "data=/home/me/photos": "--param data '/home/me/photos' is on this machine; copy it to the bucket",
    "data=file:///home/me/photos": "is on this machine; copy it to the bucket",
    "data=": "--param data '' is not in Cloud Storage",
    "data=s3://bucket/photos": "--param data 's3://bucket/photos' is not in Cloud Storage",
    "data=gs:///photos": "--param data 'gs:///photos' names no bucket; write gs://BUCKET/PATH",
    "data=gs://My Bucket/photos": "names no bucket; write gs://BUCKET/PATH",
    "data=https://example.com/photos.zip": "nothing is downloaded on Vertex AI",
}
CRONS = {
    "99 99 * * *": "the minute is 0 to 59, not 99",
    "0 24 * * *": "the hour is 0 to 23, not 24",
    "0 3 0 * *": "the day is 1 to 31, not 0",
    "0 3 * JANUARY *": "the month is 1 to 12 or JAN to DEC, not JANUARY",
    "0 3 * * 8": "the weekday is 0 to 7 or SUN to SAT, not 8",
    "*/0 * * * *": "the step of the minute '*/0' is 1 to 59",
    "30-10 3 * * *": "the minute '30-10' begins after its end",
    "0 3 31 2 *": "no month of these has such a day, so it would never run",
    "TZ= 0 3 * * 1": "'' is no time zone",
    "0 3 ** * *": "the day '**' is not of numbers",
}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, and no way to Google: what asks for either ends the test with another message."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")


def error(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which `vertex …` ends in exit code 2."""
    try:
        code = main(["vertex", *words])
    except SystemExit as ended:
        code = ended.code  # type: ignore[assignment]
    lines = [line for line in capsys.readouterr().err.splitlines() if line != "loading TFX"]
    assert (code, len(lines)) == (2, 1), lines
    return lines[0]


@pytest.mark.parametrize(("setting", "message"), SETTINGS.items(), ids=SETTINGS)
def test_a_setting_that_cannot_work(
    capsys: pytest.CaptureFixture[str], setting: str, message: str, tmp_path: Path
) -> None:
    settings = ("--preset", "cifar10", "--set", f"vertex.project={PROJECT}", "--set", f"vertex.{setting}")
    output = tmp_path / "pipeline.json"
    for action in (("compile", "--output", str(output)), ("submit",), ("schedule", "--cron", "0 3 * * 1")):
        assert message in error(capsys, *action, *settings)
    assert not output.exists()


@pytest.mark.parametrize(("parameter", "message"), PARAMETERS.items(), ids=PARAMETERS)
def test_a_parameter_that_a_local_run_would_refuse(
    capsys: pytest.CaptureFixture[str], parameter: str, message: str
) -> None:
    settings = ("--preset", "cifar10", "--set", f"vertex.project={PROJECT}", "--param", parameter)
    for action in (("submit",), ("schedule", "--cron", "0 3 * * 1")):
        assert message in error(capsys, *action, *settings)


def test_two_ways_into_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    network = "vertex.network=projects/1/global/networks/vpc"
    attachment = "vertex.network_attachment=projects/p/regions/us-central1/networkAttachments/a"
    words = ("--preset", "cifar10", "--set", f"vertex.project={PROJECT}", "--set", network, "--set", attachment)
    assert "network and network_attachment are two ways into a network" in error(capsys, "submit", *words)


def test_a_parameter_twice_and_a_bound_of_a_listed_gate(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("--preset", "cifar10", "--set", f"vertex.project={PROJECT}")
    twice = ("--param", "epochs=3", "--param", "epochs=4")
    assert "--param epochs is given twice: leave one of them" in error(capsys, "submit", *settings, *twice)
    gates = ("--set", "evaluator.gates=[{metric: macro_f1, minimum: 0.75}]", "--param", "macro_f1_minimum=75")
    assert "minimum of macro_f1 must be a fraction from 0 to 1, not 75" in error(capsys, "submit", *settings, *gates)


@pytest.mark.parametrize(("cron", "message"), CRONS.items(), ids=CRONS)
def test_times_that_there_are_not(capsys: pytest.CaptureFixture[str], cron: str, message: str) -> None:
    assert message in error(capsys, "schedule", "--cron", cron)


@pytest.mark.parametrize(
    "cron", ["*/15 0-6,22 1,15 JAN-MAR mon-fri", "0 3 29 2 *", "0 3 31 2 1", "5/10 * * * 7", "TZ=UTC 0 3 * * SUN"]
)
def test_times_that_there_are(capsys: pytest.CaptureFixture[str], cron: str) -> None:
    assert "no project is configured" in error(capsys, "schedule", "--cron", cron)


@pytest.mark.parametrize("job", ["", "Mine", "my job", "../mine", "projects/p/locations/evil.com#/pipelineJobs/x"])
def test_a_name_that_no_job_can_have(capsys: pytest.CaptureFixture[str], job: str) -> None:
    for action in ("status", "cancel"):
        message = error(capsys, action, job, "--set", f"vertex.project={PROJECT}")
        assert f"no job is named {job!r}: give the name that `vertex submit` shows" in message
        assert "no job is named 'projects/p/" in error(capsys, action, "projects/p/locations/r/customJobs/3")


def test_a_region_that_there_is_not_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("--set", f"vertex.project={PROJECT}", "--set", "vertex.region=us-centrall1")
    for action in (("status",), ("cancel",), ("schedule", "--delete")):
        assert "'us-centrall1' is no region of Vertex AI; did you mean us-central1?" in error(
            capsys, *action, *settings
        )


@pytest.mark.slow  # compiles
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--set", "trainer.epochs=3"),
            "trainer.epochs = 3 (--set) has no effect on {}, which was compiled with 15: "
            "give --param epochs=3, or leave out --spec",
        ),
        (("--set", "trainer.width=8"), "trainer.width = 8 (--set) has no effect on {}, which was compiled with "),
        (("--set", "vertex.region=europe-west4"), "compiled with 'us-central1': compile it again, or leave out --spec"),
        (
            ("--data", "gs://b/photos"),
            "data.source = 'gs://b/photos' (--set) has no effect on {}, which was compiled "
            "with 'cifar10': give --param data=gs://b/photos",
        ),
        (("--tune", "3"), "tuner.trials = 3 (--set) has no effect on {}"),
        (("--warm-start",), "warm_start = True (--set) has no effect on {}"),
        (("--preset", "digits"), "preset = 'digits' (--preset) has no effect on {}, which was compiled with 'cifar10'"),
        (("--config", "FILE"), "evaluator.min_accuracy = 0.5 (FILE) has no effect on {}"),
        (("--param", "epochs=-5"), "--param epochs=-5: input should be greater than or equal to 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_a_compiled_spec_cannot_heed(
    capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("evaluator: {min_accuracy: 0.5}\nrun_dir: elsewhere\n")
    words = tuple(word.replace("FILE", str(file)) for word in words)
    expected = message.replace("FILE", str(file)).format(spec)
    for action in (("submit",), ("schedule", "--cron", "0 3 * * 1")):
        assert expected in error(capsys, *action, "--spec", str(spec), *words)


@pytest.mark.slow  # compiles
def test_a_spec_that_was_edited_or_has_no_project(
    capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path
) -> None:
    job: dict[str, Any] = json.loads(spec.read_text())
    job["runtimeConfig"]["parameterValues"]["min_accuracy"] = 7
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(job))
    assert "the parameter min_accuracy = 7: minimum of accuracy must" in error(capsys, "submit", "--spec", str(edited))
    report = job["pipelineSpec"]["root"]["dag"]["tasks"]["Report"]["inputs"]["parameters"]["config"]["runtimeValue"]
    report["constant"] = report["constant"].replace(f"project: {PROJECT}", "project: null")
    edited.write_text(json.dumps(job))
    assert "was compiled without vertex.project: compile it again" in error(capsys, "submit", "--spec", str(edited))
    del report["constant"]
    edited.write_text(json.dumps(job))
    assert "by another version of image-pipeline: compile it again" in error(capsys, "submit", "--spec", str(edited))


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no runtimeConfig": lambda job: job.update(runtimeConfig=None),
    "no folder": lambda job: job["runtimeConfig"].pop("gcsOutputDirectory"),
    "a list of parameters": lambda job: job["runtimeConfig"].update(parameterValues=[1]),
    "no images": lambda job: job["pipelineSpec"].pop("deploymentSpec"),
    "no commands": lambda job: job["pipelineSpec"]["deploymentSpec"].update(executors={}),
    "a number of tasks": lambda job: job["pipelineSpec"]["root"]["dag"].update(tasks=5),
    "no components": lambda job: job["pipelineSpec"].pop("components"),
    "unknown keys": lambda job: job["pipelineSpec"].update(stages=[]),
}


@pytest.mark.slow  # compiles
def test_a_file_that_is_no_compiled_pipeline(capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path) -> None:
    text = spec.read_text()
    texts = ["", "null", "[]", "[" * 100_000, "pipelineSpec: {}", text[:5000], "\ufeff" + text, "\0"]
    texts.append(json.dumps(json.loads(text)["pipelineSpec"]))  # as KFP's own compiler writes it
    for edit in EDITS.values():
        job = json.loads(text)
        edit(job)
        texts.append(json.dumps(job))
    file = tmp_path / "file.json"
    for content in texts:
        file.write_text(content)
        for action in (("submit",), ("schedule", "--cron", "0 3 * * 1"), ("run-local", "--run-dir", str(tmp_path))):
            expected = f"error: {file} is not a compiled pipeline; `vertex compile --output {file}` writes one"
            assert error(capsys, *action, "--spec", str(file)) == expected, content[:200]


@pytest.mark.slow  # imports Google's client
def test_every_accelerator_is_one_of_vertex_ai() -> None:
    from google.cloud.aiplatform_v1 import AcceleratorType

    assert set(machines.ACCELERATORS) <= {accelerator.name for accelerator in AcceleratorType}


@pytest.mark.slow  # imports TFX
def test_the_custom_job_is_read_by_the_message_of_vertex_ai() -> None:
    from components.errors import UserError
    from pipeline import config
    from pipeline.platforms.vertex.platform import VertexPlatform

    loaded, _ = config.load("cifar10", None, (f"vertex.project={PROJECT}",))
    trainer = loaded.vertex.trainer.model_copy(update={"accelerator": "NVIDIA_T4"})  # past the table
    broken = loaded.model_copy(update={"vertex": loaded.vertex.model_copy(update={"trainer": trainer})})
    with pytest.raises(UserError, match=r"vertex\.trainer: Vertex AI takes no custom job with 'NVIDIA_T4'"):
        VertexPlatform(broken).trainer_config({})
