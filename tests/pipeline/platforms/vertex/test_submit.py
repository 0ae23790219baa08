"""`vertex submit` with Google's own client library, against the stand-in."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1.types import PipelineJob

from tests.pipeline.platforms.vertex.conftest import Answer
from tests.pipeline.platforms.vertex.fakes import ACCESS, Fault, GoogleCloud, Refused, digest

Vertex = Callable[..., Answer]
CREATE = r"^POST .*/pipelineJobs$"


def only_job(cloud: GoogleCloud):  # type: ignore[no-untyped-def]
    assert len(cloud.jobs) == 1
    return next(iter(cloud.jobs.values()))


def test_a_job_is_sent_with_all_that_is_configured(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.accounts = {ACCESS["service_account"]: {"iam.serviceAccounts.actAs"}}
    settings = {
        **ACCESS,
        "caching": "false",
    }
    words = [word for name, value in settings.items() for word in ("--set", f"vertex.{name}={value}")]
    answer = vertex(
        "submit", "--no-wait", "--param", "epochs=3", "--param", "data=gs://my-project-pipelines/data", *words
    )
    assert answer.code == 0, answer.err
    job = only_job(cloud)
    assert (job.display_name, job.service_account) == ("cifar10", ACCESS["service_account"])
    assert job.network == ACCESS["network"]
    assert job.encryption_spec.kms_key_name == ACCESS["encryption_key"]
    assert job.labels["team"] == "vision"
    parameters = dict(job.runtime_config.parameter_values)
    assert (parameters["epochs"], parameters["batch_size"]) == (3, 500)
    assert parameters["data"] == "gs://my-project-pipelines/data"
    tasks = job.pipeline_spec["root"]["dag"]["tasks"]
    assert {task["cachingOptions"]["enableCache"] for task in dict(tasks).values()} == {False}
    assert all(re.fullmatch(r"Bearer .{7,}", token) for token in cloud.tokens[1:])  # the first asks for one
    name = job.name.rpartition("/")[2]
    assert answer.out.splitlines() == [
        f"sending   {name}",
        "artifacts gs://my-project-pipelines/artifacts/cifar10",
        f"job       {name}",
        "console   https://console.cloud.google.com/vertex-ai/locations/us-central1/pipelines/runs/"
        f"{name}?project=123456",
        f"the job keeps running; see it:  image-pipeline vertex status {job.name}",
        f"stop it: image-pipeline vertex cancel {job.name}",
    ]


def test_a_job_is_attached_to_a_network(cloud: GoogleCloud, vertex: Vertex) -> None:
    attachment = "projects/my-project/regions/us-central1/networkAttachments/a"
    assert vertex("submit", "--no-wait", "--set", f"vertex.network_attachment={attachment}").code == 0
    job = only_job(cloud)
    assert (job.psc_interface_config.network_attachment, job.network) == (attachment, "")


def test_stages_keep_the_caching_that_they_were_compiled_with(cloud: GoogleCloud, vertex: Vertex) -> None:
    assert vertex("submit", "--no-wait").code == 0
    tasks = dict(only_job(cloud).pipeline_spec["root"]["dag"]["tasks"])
    assert dict(tasks["Trainer"])["cachingOptions"]["enableCache"] is True
    assert "cachingOptions" not in dict(tasks["PreviousData"])


def test_images_are_pinned_by_their_digest(cloud: GoogleCloud, vertex: Vertex) -> None:
    """The stages', in the spec and for Beam's workers, and the one in the Trainer's custom job."""
    trainer = "us-central1-docker.pkg.dev/my-project/pipelines/mine:v1"
    cloud.images.add("mine/tags/v1")
    assert vertex("submit", "--no-wait", "--set", f"vertex.trainer.image={trainer}").code == 0
    spec = PipelineJob.to_json(only_job(cloud))
    assert f"image-classification@{digest('image-classification/tags/latest')}" in spec
    assert f"mine@{digest('mine/tags/v1')}" in spec
    assert ":latest" not in spec.replace("tf2-cpu.2-15:latest", "")
    assert trainer not in spec


def test_an_image_whose_digest_is_not_told_keeps_its_tag(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [Fault("artifactregistry|packages", Refused(403, "no artifactregistry.tags.get"), times=9)]
    assert vertex("submit", "--no-wait").code == 0
    assert "image-classification:latest" in PipelineJob.to_json(only_job(cloud))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--param", "epoch=3"), "the pipeline has no parameter 'epoch'; did you mean epochs?"),
        (("--param", "epochs=many"), "--param epochs=many: it is a whole number"),
        (("--param", "learning_rate=fast"), "--param learning_rate=fast: it is a number"),
        (("--set", "vertex.region=us-central9"), "'us-central9' is no region of Vertex AI; did you mean us-central1?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line_and_nothing_is_sent(
    cloud: GoogleCloud, vertex: Vertex, words: tuple[str, ...], expected: str
) -> None:
    answer = vertex("submit", *words)
    assert answer.code == 2
    assert expected in answer.err
    assert answer.err.count("\n") == 1
    assert cloud.count(CREATE) == 0


@pytest.mark.parametrize("how", ["lose", "drop"])
def test_a_lost_answer_never_starts_a_job_twice(cloud: GoogleCloud, vertex: Vertex, how: str) -> None:
    cloud.faults = [Fault(CREATE, how)]
    answer = vertex("submit", "--no-wait")
    assert answer.code == 0, answer.err
    assert cloud.count(CREATE) == 2
    assert len(cloud.jobs) == 1
    assert "broke or was refused; retrying" in answer.out
    assert ("it exists already" in answer.out) == (how == "lose")


def test_a_service_that_is_away_is_asked_again(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [Fault("GET", Refused(503, "try again"), times=3), Fault(CREATE, Refused(500, "oh"), times=2)]
    assert vertex("submit", "--no-wait").code == 0
    assert len(cloud.jobs) == 1


@pytest.mark.slow
def test_without_any_answer_the_same_command_goes_on_later(
    cloud: GoogleCloud, vertex: Vertex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.platforms.vertex.cloud.RETRY_DEADLINE", 0.5)
    cloud.faults = [Fault(CREATE, "lose"), Fault("pipelineJobs", "drop", times=10**6)]
    answer = vertex("submit", "--no-wait")
    assert answer.code == 1
    assert answer.err.startswith("error: no answer whether the job was made")
    assert answer.err.count("\n") == 1
    again = re.search(r"--job-id (\S+?)`", answer.err)
    assert again
    cloud.faults = []
    monkeypatch.setattr("pipeline.platforms.vertex.cloud.RETRY_DEADLINE", 60.0)
    answer = vertex("submit", "--no-wait", "--job-id", again[1])
    assert answer.code == 0
    assert "it exists already" in answer.out
    assert len(cloud.jobs) == 1


def test_a_name_that_another_job_has_is_refused(cloud: GoogleCloud, vertex: Vertex) -> None:
    assert vertex("submit", "--no-wait", "--job-id", "mine").code == 0
    answer = vertex("submit", "--no-wait", "--job-id", "mine", "--param", "epochs=3")
    assert (answer.code, answer.err) == (2, "error: another job is named mine: give it another --job-id\n")


@pytest.mark.parametrize(
    ("code", "message", "exit_code", "expected"),
    [
        (429, "The following quota metrics exceed quota limits: custom_model_training_cpus", 1, "a quota is used up"),
        (403, "Permission 'aiplatform.pipelineJobs.create' denied", 2, "Vertex AI refuses the job: 403 Permission"),
        (400, "Invalid\nargument", 2, "Vertex AI refuses the job: 400 Invalid argument"),
    ],
)
def test_a_refusal_is_one_line_and_not_asked_again(
    cloud: GoogleCloud, vertex: Vertex, code: int, message: str, exit_code: int, expected: str
) -> None:
    cloud.faults = [Fault(CREATE, Refused(code, message), times=9)]
    answer = vertex("submit")
    assert answer.code == exit_code
    assert expected in answer.err
    assert answer.err.count("\n") == 1
    assert cloud.count(CREATE) == 1


def test_without_credentials_it_says_how_to_get_them(
    cloud: GoogleCloud, vertex: Vertex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud.faults = [Fault("POST /token", Refused(400, "invalid_grant"), times=9)]
    answer = vertex("submit")
    assert answer.code == 2
    assert answer.err.startswith("error: the credentials for Google Cloud do not hold")
    assert answer.err.endswith("gcloud auth application-default login\n")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    answer = vertex("submit")
    assert answer.code == 2
    assert "none.json was not found" in answer.err
    assert answer.err.endswith("gcloud auth application-default login\n")
    assert answer.err.count("\n") == 1


def test_a_spec_that_is_none_is_refused(cloud: GoogleCloud, vertex: Vertex, spec: Path, tmp_path: Path) -> None:
    from pipeline.cli import main

    for content in ("no JSON", "[]", json.dumps({"root": 3})):
        (tmp_path / "x.json").write_text(content)
        words = ["vertex", "submit", "--spec", str(tmp_path / "x.json"), "--set", "vertex.project=my-project"]
        assert main(words) == 2
    shutil.copy(spec, tmp_path / "x.json")
    assert main([*words, "--preset", "cifar10", "--no-wait"]) == 0
