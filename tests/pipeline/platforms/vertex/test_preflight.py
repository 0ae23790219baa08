"""What is looked for before a job is sent, and what is said where it is missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from components import versions
from pipeline.platforms.vertex.preflight import metric
from tests.pipeline.platforms.vertex.conftest import Answer
from tests.pipeline.platforms.vertex.fakes import Fault, GoogleCloud, Refused

pytestmark = pytest.mark.slow

Vertex = Callable[..., Answer]
ACCOUNT = "runner@my-project.iam.gserviceaccount.com"
BOARD = "projects/my-project/locations/us-central1/tensorboards/17"
ME = "serviceAccount:me@my-project.iam.gserviceaccount.com"
IMAGE = "us-central1-docker.pkg.dev/my-project/pipelines/image-classification:latest"
GPUS = ("--set", "vertex.trainer={accelerator: NVIDIA_TESLA_T4, accelerator_count: 4, workers: 2}")
QUOTA = "aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus"
LANE = "" if versions.lane() == "1.21" else f",_LANE={versions.lane()}"


@pytest.mark.parametrize(
    ("facts", "words", "message"),
    [
        (
            {"permissions": {"aiplatform.pipelineJobs.list"}},
            (),
            "you lack aiplatform.pipelineJobs.create, aiplatform.pipelineJobs.get: gcloud projects "
            f"add-iam-policy-binding my-project --member={ME} --role=roles/aiplatform.user",
        ),
        (
            {"off": {"aiplatform", "compute"}},
            (),
            "the APIs aiplatform.googleapis.com, compute.googleapis.com are off in my-project: gcloud services enable "
            "aiplatform.googleapis.com compute.googleapis.com --project=my-project",
        ),
        (
            {"off": {"dataflow"}},
            ("--set", "vertex.dataflow.max_workers=4"),
            "the API dataflow.googleapis.com is off in my-project: gcloud services enable dataflow.googleapis.com "
            "--project=my-project",
        ),
        (
            {"buckets": {"other": {}}},
            (),
            "the bucket gs://my-project-pipelines does not exist: gcloud storage buckets create "
            "gs://my-project-pipelines --project=my-project --location=us-central1 --uniform-bucket-level-access",
        ),
        (
            {"bucket_permissions": {"storage.objects.get", "storage.objects.list"}},
            (),
            "you lack storage.objects.create, storage.objects.delete on gs://my-project-pipelines: gcloud storage "
            f"buckets add-iam-policy-binding gs://my-project-pipelines --member={ME} --role=roles/storage.objectUser",
        ),
        (
            {"buckets": {"my-project-pipelines": {"location": "US", "projectNumber": "666"}}},
            (),
            "the bucket gs://my-project-pipelines is not, or not visibly, one of my-project; name the one to use: "
            "--set vertex.bucket=NAME",
        ),
        (
            {"objects": []},
            (),
            "there is no data at gs://my-project-pipelines/data/cifar-10-binary.tar.gz: gcloud storage cp -r YOUR_DATA "
            "gs://my-project-pipelines/data/cifar-10-binary.tar.gz",
        ),
        (
            {"repositories": set()},
            (),
            f"the repository pipelines for {IMAGE} does not exist: gcloud artifacts repositories create pipelines "
            "--repository-format=docker --location=us-central1 --project=my-project",
        ),
        (
            {"images": set()},
            (),
            f"the image {IMAGE} does not exist: gcloud builds submit --config=cloudbuild.yaml --project=my-project "
            f"--substitutions=_REGION=us-central1{LANE}",
        ),
        (
            {"images": {"image-classification/tags/latest"}},
            GPUS,
            f"the image {IMAGE.replace(':', '-gpu:')} does not exist: gcloud builds submit --config=cloudbuild.yaml "
            f"--project=my-project --substitutions=_REGION=us-central1,_ACCELERATOR=gpu,_ENDING=-gpu{LANE}",
        ),
        (
            {},
            ("--set", f"vertex.trainer.image={IMAGE.replace('latest', 'v2')}"),
            f"the image {IMAGE.replace('latest', 'v2')} does not exist: docker push",
        ),
        (
            {},
            ("--set", f"vertex.service_account={ACCOUNT}"),
            f"the service account {ACCOUNT} does not exist: gcloud iam service-accounts create runner "
            "--project=my-project",
        ),
        (
            {"accounts": {ACCOUNT: set()}},
            ("--set", f"vertex.service_account={ACCOUNT}"),
            f"you may not act as {ACCOUNT} (iam.serviceAccounts.actAs): gcloud iam service-accounts "
            f"add-iam-policy-binding {ACCOUNT} --member={ME} --role=roles/iam.serviceAccountUser",
        ),
        (
            {"accounts": {ACCOUNT: {"iam.serviceAccounts.actAs"}}},
            ("--set", f"vertex={{project: my-project, service_account: {ACCOUNT}, tensorboard: {BOARD}}}"),
            f"there is no {BOARD}: gcloud ai tensorboards create --display-name=trainings --project=my-project "
            "--region=us-central1",
        ),
        (
            {"quotas": {QUOTA: {"": 8, "us-central1": 0}}},
            GPUS,
            f"the quota {QUOTA} in us-central1 is 0, and the job needs "
            "8; ask for more: https://console.cloud.google.com/iam-admin/quotas?project=my-project",
        ),
    ],
    ids=lambda value: next(iter(value), "account") if isinstance(value, dict) else "",
)
def test_what_is_missing_is_told_with_the_command_that_mends_it(
    cloud: GoogleCloud, vertex: Vertex, facts: dict[str, object], words: tuple[str, ...], message: str
) -> None:
    vars(cloud).update(facts)
    answer = vertex("submit", *words)
    first, second, *more = answer.err.splitlines()
    assert answer.code == 2
    assert first.startswith("error: nothing was sent, ")
    assert second.startswith(f"  {message}")
    assert len(more) == ("buckets create" in message)  # with the bucket the data is missing
    assert not cloud.jobs


def test_a_tensorboard_that_is_there(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.accounts, cloud.tensorboards = {ACCOUNT: {"iam.serviceAccounts.actAs"}}, {"17"}
    settings = f"vertex={{project: my-project, service_account: {ACCOUNT}, tensorboard: {BOARD}}}"
    answer = vertex("submit", "--no-wait", "--set", settings)
    assert (answer.code, answer.err) == (0, "")
    assert "TensorBoard" not in answer.out
    assert cloud.count(r"GET /v1/projects/my-project/locations/us-central1/tensorboards/17$") == 1


def test_all_that_is_missing_is_told_at_once(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.off, cloud.buckets, cloud.images = {"compute"}, {}, set()
    answer = vertex("submit")
    assert answer.code == 2
    lines = answer.err.splitlines()
    assert lines[0] == "error: nothing was sent, 4 things are missing in Google Cloud"
    assert [line.split()[1] for line in lines[1:]] == ["API", "bucket", "is", "image"]


def test_a_bucket_that_hides_its_owner_has_to_be_named(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [Fault("^GET /storage/v1/b/my-project-pipelines$", Refused(403, "no storage.buckets.get"), times=9)]
    answer = vertex("submit", "--no-wait")
    assert (answer.code, "not visibly, one of my-project" in answer.err) == (2, True)
    assert vertex("submit", "--no-wait", "--set", "vertex.bucket=my-project-pipelines").code == 0


def test_a_project_that_is_closed_ends_the_look(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [Fault("testIamPermissions", Refused(403, "The caller does not have permission"), times=9)]
    answer = vertex("submit")
    assert (answer.code, answer.err.splitlines()[1:]) == (
        2,
        [
            "  the project my-project does not exist, or these credentials may not see it "
            "(403 The caller does not have permission): gcloud projects list"
        ],
    )
    assert cloud.count("storage") == 0


def test_what_may_not_be_looked_at_is_no_reason_against_the_job(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [
        Fault("serviceusage|services:batchGet|consumerQuota", Refused(403, "no"), times=9),
        Fault("repositories", Refused(403, "API off", "SERVICE_DISABLED"), times=9),
    ]
    cloud.buckets["my-project-pipelines"]["location"] = "EUROPE-WEST4"
    answer = vertex("submit", "--no-wait", *GPUS)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[:4] == [
        "note      could not check which APIs are on (403 no)",
        "note      gs://my-project-pipelines is in europe-west4, not us-central1: what crosses is slow and billed",
        "note      could not check the images (403 API off)",
        "note      could not check the quota (403 no)",
    ]
    assert len(cloud.jobs) == 1


def test_a_google_that_does_not_answer_ends_the_command(
    cloud: GoogleCloud, vertex: Vertex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.platforms.vertex.cloud.SHORT", 0.1)
    cloud.faults = [Fault("testIamPermissions", "drop", times=10**6)]
    answer = vertex("submit")
    assert answer.code == 1
    assert answer.err.startswith("error: Google Cloud does not answer (the connection to 127.0.0.1")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "limits", [{"": 0, "us-central1": 8}, {"": 16, "europe-west4": 0}, {"": -1}], ids=["here", "all", "unlimited"]
)
def test_a_quota_that_is_enough_is_not_told(cloud: GoogleCloud, vertex: Vertex, limits: dict[str, int]) -> None:
    cloud.quotas = {QUOTA: limits}
    answer = vertex("submit", "--no-wait", *GPUS)
    assert (answer.code, "quota" in answer.out) == (0, False)


@pytest.mark.parametrize(
    ("accelerator", "name"),
    [
        ("TPU_V2", "tpu_v2"),
        ("TPU_V5e", "tpu_v5e"),
        ("NVIDIA_TESLA_T4", "nvidia_t4_gpus"),
        ("NVIDIA_L4", "nvidia_l4_gpus"),
        ("NVIDIA_TESLA_A100", "nvidia_a100_gpus"),
        ("NVIDIA_A100_80GB", "nvidia_a100_80gb_gpus"),
        ("NVIDIA_H100_80GB", "nvidia_h100_gpus"),
    ],
)
def test_the_quota_of_an_accelerator_has_the_name_that_vertex_ai_gives_it(accelerator: str, name: str) -> None:
    assert metric(accelerator) == f"custom_model_training_{name}"
    assert metric(accelerator, spot=True) == f"custom_model_training_preemptible_{name}"


@pytest.mark.parametrize(
    ("data", "there"),
    [
        ("photos", True),
        ("photos/", True),
        ("photo", False),
        ("tables/*.parquet", True),
        ("tables/train-*.parquet", True),
        ("tables/test-*.parquet", False),
        ("archive.zip", True),
        ("archive", False),
        ("", True),
    ],
)
def test_data_is_an_object_a_folder_or_a_pattern(cloud: GoogleCloud, vertex: Vertex, data: str, there: bool) -> None:
    cloud.objects = ["archive.zip", "photos-old/a.png", "photos/train/one/a.png", "tables/train-1.parquet"]
    answer = vertex("submit", "--no-wait", "--param", f"data=gs://my-project-pipelines/{data}")
    assert (answer.code, "there is no data at gs://my-project-pipelines/" in answer.err) == (
        0 if there else 2,
        not there,
    )
