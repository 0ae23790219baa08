"""`vertex cancel`: the job, and what its stages started, which Vertex AI does not stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1.types import JobState, PipelineState

from pipeline.platforms.vertex import labels
from tests.pipeline.platforms.vertex.conftest import Answer
from tests.pipeline.platforms.vertex.fakes import Fault, GoogleCloud, Refused

Vertex = Callable[..., Answer]
NAME = "projects/123456/locations/us-central1/pipelineJobs/mine"
STOPPING = f"mine is being stopped; see it end: image-pipeline vertex status {NAME}"


@pytest.fixture
def sent(cloud: GoogleCloud, vertex: Vertex) -> None:
    assert vertex("submit", "--no-wait", "--job-id", "mine").code == 0


@pytest.mark.usefixtures("sent")
def test_the_training_is_stopped_with_the_job(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.train("mine", "77", "SUCCEEDED", stage="tuner")
    cloud.train("mine", "78")
    cloud.train("another", "79")
    answer = vertex("cancel", NAME)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [STOPPING, "custom job 78 (cifar10-trainer) is being stopped"]
    assert cloud.jobs["mine"].state == PipelineState.PIPELINE_STATE_CANCELLED
    states = {number: job.state for number, job in cloud.trainings.items()}
    assert states == {
        "77": JobState.JOB_STATE_SUCCEEDED,
        "78": JobState.JOB_STATE_CANCELLING,
        "79": JobState.JOB_STATE_RUNNING,
    }
    assert cloud.jobs["mine"].labels[labels.RUN] == cloud.trainings["78"].labels[labels.RUN]
    assert not cloud.count("/v1b3/")  # this run has nothing on Dataflow


@pytest.mark.usefixtures("sent")
def test_dataflow_jobs_are_stopped_with_the_job(cloud: GoogleCloud, vertex: Vertex, spec: Path) -> None:
    job = json.loads(spec.read_text().replace("--runner=FnApiRunner", "--runner=DataflowRunner"))
    cloud.jobs["mine"].pipeline_spec = job["pipelineSpec"]
    for id_, run, state in (
        ("1", "another", "RUNNING"),
        ("2", "mine", "DONE"),
        ("3", "another", "RUNNING"),
        ("4", "mine", "RUNNING"),
    ):
        labelled = {labels.RUN: run, labels.STAGE: "transform"}
        cloud.dataflow[id_] = {"id": id_, "name": "beamapp", "currentState": f"JOB_STATE_{state}", "labels": labelled}
    answer = vertex("cancel", "mine")
    assert answer.code == 0
    assert answer.out.splitlines()[1:] == ["Dataflow job 4 (beamapp) is being stopped"]
    assert [job["currentState"].rpartition("_")[2] for job in cloud.dataflow.values()] == [
        "RUNNING",
        "DONE",
        "RUNNING",
        "CANCELLING",
    ]


@pytest.mark.usefixtures("sent")
def test_what_a_cancelled_job_left_behind_is_stopped(cloud: GoogleCloud, vertex: Vertex) -> None:
    """As after a click in the console, whose stage was killed before it could stop its training."""
    cloud.jobs["mine"].state = PipelineState.PIPELINE_STATE_CANCELLED
    cloud.train("mine", "78")
    answer = vertex("cancel", "mine")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == ["mine has ended already", "custom job 78 (cifar10-trainer) is being stopped"]
    assert cloud.count("pipelineJobs/mine:cancel") == 0
    assert vertex("cancel", "mine").out == "mine has ended already\n"


@pytest.mark.usefixtures("sent")
def test_what_may_still_run_is_told(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.train("mine", "78")
    cloud.faults = [Fault("GET .*/customJobs", Refused(403, "Permission 'aiplatform.customJobs.list' denied"))]
    answer = vertex("cancel", "mine")
    assert answer.code == 1
    assert answer.out == f"{STOPPING}\n".replace(NAME, NAME.replace("123456", "my-project"))
    assert answer.err == (
        "error: custom jobs of mine may still run (403 Permission 'aiplatform.customJobs.list' denied); "
        "the same command tries again: image-pipeline vertex cancel "
        "projects/my-project/locations/us-central1/pipelineJobs/mine\n"
    )
    assert vertex("cancel", "mine").out.splitlines()[-1] == "custom job 78 (cifar10-trainer) is being stopped"


def test_without_a_job_those_that_run_are_shown_and_none_is_stopped(cloud: GoogleCloud, vertex: Vertex) -> None:
    answer = vertex("cancel")
    assert (answer.code, answer.err) == (
        2,
        "error: name the job to stop; no job of the pipeline 'cifar10' runs in us-central1\n",
    )
    for name in ("first", "mine", "third"):
        assert vertex("submit", "--no-wait", "--job-id", name).code == 0
    cloud.jobs["first"].state = PipelineState.PIPELINE_STATE_SUCCEEDED
    answer = vertex("cancel")
    third = NAME.replace("mine", "third")
    assert (answer.code, answer.err.splitlines()) == (
        2,
        [
            "error: name the job to stop:",
            f"  image-pipeline vertex cancel {third}",
            f"  image-pipeline vertex cancel {NAME}",
        ],
    )
    assert not cloud.count(":cancel")
