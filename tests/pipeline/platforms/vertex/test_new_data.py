"""New data in the bucket: the workflow of infra/trigger, and the real command with the arguments that it gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import hcl2
import pytest

from pipeline import ROOT
from pipeline.cli import main, parser
from tests.pipeline.platforms.vertex import workflow
from tests.pipeline.platforms.vertex.fakes import GoogleCloud

WORKFLOW = ROOT / "infra" / "trigger" / "workflow.yaml"
JOB = "projects/my-project/locations/us-central1/jobs/pipeline-submit"
RUN = "googleapis.run.v2.projects.locations.jobs.run"
GENERATION = "1764201600123456"


def event(marker: str = "ready/photos", event_type: str = "OBJECT_FINALIZE") -> dict[str, Any]:
    """Return what Eventarc passes on of a notification of Cloud Storage without payload."""
    attributes = {
        "bucketId": "my-project-pipelines",
        "eventTime": "2026-11-27T00:00:00.000000Z",
        "eventType": event_type,
        "notificationConfig": "projects/_/buckets/my-project-pipelines/notificationConfigs/1",
        "objectGeneration": GENERATION,
        "objectId": marker,
        "payloadFormat": "NONE",
    }
    return {
        "id": "1",
        "source": "//pubsub.googleapis.com/projects/my-project/topics/pipeline-ready",
        "specversion": "1.0",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "data": {"message": {"attributes": attributes, "messageId": "1"}, "subscription": "projects/my-project/s"},
    }


def follow(given: Any) -> tuple[list[str] | None, list[str]]:
    """Return (the arguments that the job is run with, if it is run; the lines of the log)."""
    runs: list[list[str]] = []
    lines: list[str] = []

    def call(name: str, args: dict[str, Any]) -> None:
        if name == "sys.log":
            assert args["severity"] == "WARNING"
            lines.append(args["text"])
            return
        assert (name, args["name"], args["connector_params"]) == (RUN, JOB, {"skip_polling": True})
        (override,) = args["body"]["overrides"]["containerOverrides"]
        assert override.keys() == {"args"}
        runs.append(override["args"])

    workflow.run(WORKFLOW, given, {"JOB": JOB}, call)
    assert len(runs) + len(lines) == 1
    return (runs[0] if runs else None), lines


@pytest.fixture
def bucket(tmp_path: Path, spec: Path) -> Path:
    """The bucket as the job has it mounted, with the spec that was released."""
    (tmp_path / "release").mkdir()
    shutil.copy(spec, tmp_path / "release" / "pipeline.json")
    return tmp_path


def submit(args: list[str], bucket: Path) -> int:
    return main([word.replace("/bucket/", f"{bucket}/") for word in args])


@pytest.mark.slow
def test_a_marker_submits_a_job_on_its_data_once_however_often_it_is_announced(
    cloud: GoogleCloud, bucket: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cloud.objects = ["data/photos/2026-11/cat/1.png"]
    for _ in range(2):
        args, _ = follow(event("ready/photos/2026-11"))
        assert args
        assert submit(args, bucket) == 0
    assert "it exists already" in capfd.readouterr().out
    ((name, job),) = cloud.jobs.items()
    assert name == f"data-photos-2026-11-{GENERATION}"
    assert dict(job.runtime_config.parameter_values)["data"] == "gs://my-project-pipelines/data/photos/2026-11"
    assert job.display_name == "cifar10"


@pytest.mark.slow
def test_after_a_new_release_a_repeated_event_starts_no_second_job(
    cloud: GoogleCloud, bucket: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cloud.objects = ["data/photos/cat/1.png"]
    args, _ = follow(event())
    assert args
    assert submit(args, bucket) == 0
    released = bucket / "release" / "pipeline.json"
    spec = json.loads(released.read_text())
    spec["runtimeConfig"]["parameterValues"]["epochs"] = 3
    released.write_text(json.dumps(spec))
    assert submit(args, bucket) == 2
    assert "another job is named data-photos-" in capfd.readouterr().err
    assert len(cloud.jobs) == 1


@pytest.mark.slow
def test_a_marker_without_data_sends_nothing(
    cloud: GoogleCloud, bucket: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    args, _ = follow(event("ready/nothing"))
    assert args
    assert submit(args, bucket) == 2
    assert "there is no data at gs://my-project-pipelines/data/nothing" in capfd.readouterr().err
    assert not cloud.jobs


@pytest.mark.parametrize(
    ("marker", "path", "job_id"),
    [
        ("ready/photos.tar.gz", "photos.tar.gz", "data-photos-tar-gz-"),
        ("ready/My_Photos", "My_Photos", "data-my-photos-"),
        ("ready/a..b", "a..b", "data-a-b-"),
        ("ready/1-", "1-", "data-1--"),
        ("ready/" + "x" * 94, "x" * 94, "data-" + "x" * 94 + "-"),
    ],
)
def test_the_command_understands_each_name(marker: str, path: str, job_id: str, tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "pipeline.json").touch()
    args, _ = follow(event(marker))
    assert args
    words = [word.replace("/bucket/", f"{tmp_path}/") for word in args]
    parsed = parser(words).parse_args(words)
    assert parsed.parameters == [("data", f"gs://my-project-pipelines/data/{path}")]
    assert parsed.job_id == job_id + GENERATION
    assert parsed.wait is False


@pytest.mark.parametrize(
    "given",
    [
        event(event_type="OBJECT_DELETE"),
        event(event_type="OBJECT_METADATA_UPDATE"),
        event("data/photos/cat/1.png"),
        event("artifacts/ready/photos"),
        event("ready/"),
        event("ready/photos/"),
        event("ready//photos"),
        event("ready/../artifacts/cifar10"),
        event("ready/photos/../../artifacts"),
        event("ready/.hidden"),
        event("ready/--set=vertex.project=other"),
        event("ready/photos --set x=y"),
        event("ready/a\nb"),
        event("ready/photos\n"),
        event("ready/grüße"),
        event("ready/" + "x" * 95),
        {"type": "google.cloud.pubsub.topic.v1.messagePublished", "data": {"message": {"data": "e30="}}},
        {},
        None,
    ],
)
def test_every_other_event_is_logged_and_ignored(given: Any) -> None:
    args, lines = follow(given)
    assert args is None
    assert lines[0].startswith('ignored "')
    assert "\n" not in lines[0]
    assert lines[0].endswith(", which is no new object ready/NAME")


def test_the_job_mounts_the_bucket_where_the_workflow_finds_the_spec() -> None:
    with (ROOT / "infra" / "terraform" / "trigger.tf").open() as file:
        blocks = hcl2.load(file)["resource"]
    (job,) = (block['"google_cloud_run_v2_job"'] for block in blocks if '"google_cloud_run_v2_job"' in block)
    (outer,) = job['"submit"']["template"]
    (task,) = outer["template"]
    (container,) = task["containers"]
    (mount,) = container["volume_mounts"]
    assert mount["mount_path"] == '"/bucket"'
    assert [word.strip('"') for word in container["command"]] == ["python", "-m", "pipeline"]
    args, _ = follow(event())
    scheduled = [word.strip('"') for word in container["args"]]
    assert args
    assert scheduled == [word for word in args if word in scheduled]  # the release, with the data of the spec itself
