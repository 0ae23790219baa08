"""`vertex batch-predict`: Google's own client sends a custom job, whose command then really runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from pipeline.platforms.vertex import machines
from tests.example_gen.factories import orientation, saved
from tests.models import write_first_pixel
from tests.pipeline.platforms.vertex.conftest import Answer
from tests.pipeline.platforms.vertex.custom_jobs import WithCustomJobs
from tests.pipeline.platforms.vertex.fakes import ACCESS, PROJECT, Fault, Refused, digest, serving

pytestmark = pytest.mark.slow
BUCKET = f"{PROJECT}-pipelines"
PHOTOS, TABLE = f"gs://{BUCKET}/data/photos", f"gs://{BUCKET}/tables/photos.csv"
CREATE = r"^POST .*/customJobs$"
Run = Callable[..., Answer]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_first_pixel(tmp_path_factory.mktemp("model"), ("red", "blue"))


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path) -> Iterator[WithCustomJobs]:
    """A bucket with the versions 2 and 10 of the model `photos`, an incomplete 11, and a folder of images."""
    from pipeline.platforms.vertex import cloud, status

    monkeypatch.setattr(cloud, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(status, "PACE", (0.01, 0.01))
    standin = WithCustomJobs(root=tmp_path / "buckets")
    folder = standin.root / BUCKET / "data" / "photos"
    (folder / "sub").mkdir(parents=True)
    upper = Image.new("RGB", (16, 16), "red")
    upper.paste("blue", (0, 8, 16, 16))
    (folder / "a.png").write_bytes(saved(upper, "PNG"))
    (folder / "sub" / "turned.jpg").write_bytes(saved(upper, "JPEG", exif=orientation(3)))
    versions = standin.root / BUCKET / "serving" / "photos"
    versions.mkdir(parents=True)
    (versions / "11").mkdir()
    (versions / "11" / "fingerprint.pb").touch()
    for version in ("2", "10"):
        shutil.copytree(model, versions / version)
    with serving(standin, tmp_path) as environment:
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        yield standin


@pytest.fixture
def run(cloud: WithCustomJobs, capfd: pytest.CaptureFixture[str]) -> Run:
    """`image-pipeline vertex batch-predict …` of the pipeline `photos`."""
    from pipeline.cli import main

    def run(*words: str) -> Answer:
        settings = (f"vertex.project={PROJECT}", f"vertex.bucket={BUCKET}", "name=photos", "data.max_side=512")
        more = ["--preset", "small", *(word for setting in settings for word in ("--set", setting))]
        try:
            code = main(["vertex", "batch-predict", *more, *words])
        except SystemExit as error:
            code = int(str(error.code))
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return run


def table(cloud: WithCustomJobs) -> pd.DataFrame:
    return pd.read_csv(cloud.root / BUCKET / "tables" / "photos.csv").set_index("image")


def test_the_command_of_the_job_writes_the_table(run: Run, cloud: WithCustomJobs) -> None:
    answer = run(PHOTOS, "--output", TABLE)
    assert (answer.code, answer.err) == (0, "")
    (job,) = cloud.sent
    log = answer.out.splitlines()[4]
    assert answer.out.splitlines() == [
        f"sending   {job.display_name}",
        f"model     gs://{BUCKET}/serving/photos/10",
        "job       4000",
        "console   https://console.cloud.google.com/vertex-ai/locations/us-central1/training/4000?project=123456",
        log,
        "state     pending",
        "state     running",
        "state     succeeded",
        f"table     {TABLE}: 2 images, 0 without an answer",
    ]
    assert log.startswith("log       https://console.cloud.google.com/logs/query")
    made = table(cloud)
    local = f"file://{cloud.root}/{BUCKET}/data/photos"  # a bucket's, on Vertex AI
    assert made["predicted"].to_dict() == {f"{local}/a.png": "red", f"{local}/sub/turned.jpg": "blue"}


def test_the_job_has_all_that_is_configured(run: Run, cloud: WithCustomJobs) -> None:
    cloud.accounts = {ACCESS["service_account"]: {"iam.serviceAccounts.actAs"}}
    settings = {
        **ACCESS,
        "cpu": "8",
        "memory_gb": "40",
    }
    words = [word for name, value in settings.items() for word in ("--set", f"vertex.{name}={value}")]
    version = f"gs://{BUCKET}/serving/photos/2"
    answer = run(PHOTOS + "/", "--output", TABLE, "--model", version, "--hours", "1.5", "--no-wait", *words)
    assert answer.code == 0, answer.err
    (job,) = cloud.sent
    assert (job.job_spec.service_account, job.job_spec.network) == (ACCESS["service_account"], ACCESS["network"])
    assert job.encryption_spec.kms_key_name == ACCESS["encryption_key"]
    assert job.labels["team"] == "vision"
    assert job.labels["pipeline_run"] == job.display_name
    assert job.job_spec.scheduling.timeout.total_seconds() == 5400
    (pool,) = job.job_spec.worker_pool_specs
    assert pool.machine_spec.machine_type == "e2-highmem-8"
    image = "us-central1-docker.pkg.dev/my-project/pipelines/image-classification"
    assert pool.container_spec.image_uri == f"{image}@{digest('image-classification/tags/latest')}"
    assert list(pool.container_spec.command) == [
        *("python", "-m", "pipeline", "predict", PHOTOS, "--model", version, "--output", TABLE),
        *("--set", "data.max_bytes=20000000", "--set", "data.max_pixels=50000000", "--set", "data.max_side=512"),
    ]
    assert answer.out.splitlines()[-2:] == [
        "the job keeps running; see it:  "
        "https://console.cloud.google.com/vertex-ai/locations/us-central1/training/4000?project=123456",
        "stop it: gcloud ai custom-jobs cancel 4000 --region=us-central1 --project=123456",
    ]


def test_images_without_an_answer_are_rows_and_the_exit_code(run: Run, cloud: WithCustomJobs) -> None:
    (cloud.root / BUCKET / "data" / "photos" / "b.png").write_bytes(b"")
    answer = run(PHOTOS, "--output", TABLE)
    assert (answer.code, answer.err) == (2, "")
    assert answer.out.splitlines()[-3:] == [
        "state     failed",
        f"table     {TABLE}: 3 images, 1 without an answer",
        "          some images have no answer: the column `error` says why, and Vertex AI calls the job failed",
    ]
    assert table(cloud)["error"].fillna("").tolist() == ["", "empty file", ""]


def test_a_job_that_writes_no_table_says_why(run: Run, cloud: WithCustomJobs) -> None:
    broken = cloud.root / BUCKET / "serving" / "photos" / "12"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"x")
    answer = run(PHOTOS, "--output", TABLE)
    assert answer.code == 1
    *_, failed, reason = answer.out.splitlines()
    assert failed == "failed    The replica workerpool0-0 exited with a non-zero status of 2."
    assert reason.startswith(f"error: the model gs://{BUCKET}/serving/photos/12 cannot be loaded")


@pytest.mark.parametrize("state", ["CANCELLED", "EXPIRED", "FAILED", "SUCCEEDED"])
def test_however_it_ends_without_a_table_it_is_a_failure(run: Run, cloud: WithCustomJobs, state: str) -> None:
    cloud.state = state
    answer = run(PHOTOS, "--output", TABLE)
    assert answer.code == 1
    assert answer.out.endswith("no table was written; the log may say why\n")


def test_an_interrupt_leaves_it_running(run: Run, cloud: WithCustomJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.platforms.vertex.batch_predict.time.sleep", interrupt)
    answer = run(PHOTOS, "--output", TABLE)
    assert answer.code == 130
    assert "the job keeps running; see it:" in answer.out
    assert "stop it: gcloud ai custom-jobs cancel 4000 --region=us-central1 --project=123456" in answer.out
    assert cloud.count(r"customJobs/\d+:cancel") == 0


@pytest.mark.parametrize("how", ["lose", "drop"])
def test_a_lost_answer_never_starts_a_job_twice(run: Run, cloud: WithCustomJobs, how: str) -> None:
    cloud.faults = [Fault(CREATE, how)]
    answer = run(PHOTOS, "--output", TABLE, "--no-wait")
    assert cloud.count(CREATE) == 1
    if how == "lose":
        assert answer.code == 0, answer.err
        assert "the answer was lost, and the job exists" in answer.out
    else:
        assert answer.code == 1
        assert "look before you repeat it: gcloud ai custom-jobs list" in answer.err
        assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("fault", "code", "expected"),
    [
        (Refused(403, "Permission denied"), 2, "Vertex AI refuses the job: 403 Permission denied"),
        (Refused(429, "custom_model_training_cpus"), 1, "a quota is used up, nothing was started (429"),
    ],
)
def test_a_refusal_is_one_line(run: Run, cloud: WithCustomJobs, fault: Refused, code: int, expected: str) -> None:
    cloud.faults = [Fault(CREATE, fault, times=9)]
    answer = run(PHOTOS, "--output", TABLE)
    assert (answer.code, answer.err.count("\n")) == (code, 1)
    assert expected in answer.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("photos", "--output", TABLE), "'photos' is not in Cloud Storage: write gs://BUCKET/PATH"),
        (("gs://bucket", "--output", TABLE), "'gs://bucket' is not in Cloud Storage: write gs://BUCKET/PATH"),
        ((PHOTOS, "--output", "photos.csv"), "--output: 'photos.csv' is not in Cloud Storage"),
        ((PHOTOS, "--output", f"gs://{BUCKET}/t.xls"), "name a file that ends in .csv, .jsonl, .parquet"),
        ((PHOTOS,), "the following arguments are required: --output"),
        ((PHOTOS, "--output", TABLE, "--hours", "0"), "'0': a number above 0, at most 168"),
        ((PHOTOS, "--output", TABLE, "--model", "10"), "--model: '10' is not in Cloud Storage"),
        ((PHOTOS, "--output", "gs://none/t.csv"), "the bucket gs://none does not exist: gcloud storage buckets create"),
        ((f"gs://{BUCKET}/empty", "--output", TABLE), f"there is no data at gs://{BUCKET}/empty/: gcloud storage cp"),
        (("gs://none/photos", "--output", TABLE), "there is no data at gs://none/photos/"),
        (
            (PHOTOS, "--output", TABLE, "--model", f"gs://{BUCKET}/serving/photos/11"),
            f"gs://{BUCKET}/serving/photos/11 is no folder of a pushed version",
        ),
        ((PHOTOS, "--output", f"{PHOTOS}/taken.csv"), "/taken.csv is there already; name another file, or remove it"),
        ((PHOTOS, "--output", TABLE, "--set", "name=cats"), f"no model was pushed to gs://{BUCKET}/serving/cats"),
        ((PHOTOS, "--output", TABLE, "--set", "vertex.region=us-central9"), "'us-central9' is no region of Vertex AI"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_sent(
    run: Run, cloud: WithCustomJobs, words: tuple[str, ...], expected: str
) -> None:
    (cloud.root / BUCKET / "data" / "photos" / "taken.csv").touch()
    answer = run(*words)
    assert answer.code == 2
    assert expected in answer.err
    assert not cloud.sent


def test_a_bucket_whose_name_is_guessed_is_not_searched_for_a_model(
    cloud: WithCustomJobs, capfd: pytest.CaptureFixture[str]
) -> None:
    from pipeline.cli import main

    words = ["--preset", "small", "--set", f"vertex.project={PROJECT}", "--set", "name=photos"]
    assert main(["vertex", "batch-predict", PHOTOS, "--output", TABLE, *words]) == 2
    assert capfd.readouterr().err == (
        "error: name the model, --model gs://BUCKET/serving/NAME/VERSION, or its bucket, vertex.bucket\n"
    )


def test_a_service_that_is_away_is_asked_again(run: Run, cloud: WithCustomJobs) -> None:
    cloud.faults = [Fault(r"GET .*/customJobs/\d+$", Refused(503, "try again"), times=2)]
    assert run(PHOTOS, "--output", TABLE).code == 0


@pytest.mark.parametrize(
    ("cores", "memory", "machine"),
    [(4, 16, "e2-standard-4"), (1, 1, "e2-highmem-2"), (4, 20, "e2-highmem-4"), (96, 624, "n1-highmem-96")],
)
def test_the_machine_has_what_is_configured(cores: int, memory: int, machine: str) -> None:
    assert machines.fitting(cores, memory) == machine
