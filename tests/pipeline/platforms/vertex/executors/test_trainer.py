"""A stage that trains never leaves its custom job behind: TFX's client, against a stand-in of the API on loopback."""

from __future__ import annotations

import copy
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import google.auth.credentials
import grpc
import pytest
from google.cloud import aiplatform_v1 as v1
from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcTransport
from google.protobuf import empty_pb2
from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer.executor import TRAINING_ARGS_KEY
from tfx.types import standard_artifacts

from pipeline.platforms.vertex import labels
from pipeline.platforms.vertex.executors import trainer

PARENT = "projects/my-project/locations/europe-west4"
RUN = {"vertex-ai-pipelines-run-billing-id": "8717", labels.RUN: "mine", labels.STAGE: "trainer"}
CONFIG: dict[str, Any] = {
    constants.ENABLE_VERTEX_KEY: True,
    constants.VERTEX_REGION_KEY: "europe-west4",
    TRAINING_ARGS_KEY: {
        "project": "my-project",
        "display_name": "cifar10-trainer",
        "labels": {"team": "vision"},
        "job_spec": {"worker_pool_specs": [{"container_spec": {"image_uri": "an-image"}}]},
    },
}


class VertexAI(grpc.GenericRpcHandler):
    """Custom jobs in memory."""

    def __init__(self) -> None:
        self.jobs: dict[str, v1.CustomJob] = {}
        self.ends: v1.JobState | None = v1.JobState.JOB_STATE_SUCCEEDED  # of a job, when it is looked at; None: never
        self.error = ""
        self.on_request: Callable[[str], None] = lambda method: None

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = call.method.rpartition("/")[2]
        request, answer = {
            "CreateCustomJob": (v1.CreateCustomJobRequest, self.create),
            "GetCustomJob": (v1.GetCustomJobRequest, self.get),
            "ListCustomJobs": (v1.ListCustomJobsRequest, self.list),
            "CancelCustomJob": (v1.CancelCustomJobRequest, self.cancel),
        }[method]

        def handle(given: Any, context: grpc.ServicerContext) -> Any:
            self.on_request(method)
            return answer(given)

        def serialize(message: Any) -> bytes:
            return type(message).serialize(message) if hasattr(message, "_pb") else message.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(handle, request.deserialize, serialize)

    def create(self, request: v1.CreateCustomJobRequest) -> v1.CustomJob:
        name = f"{request.parent}/customJobs/{len(self.jobs) + 1}"
        self.jobs[name] = v1.CustomJob(request.custom_job, name=name, state=v1.JobState.JOB_STATE_RUNNING)
        return self.jobs[name]

    def get(self, request: v1.GetCustomJobRequest) -> v1.CustomJob:
        job = self.jobs[request.name]
        if self.ends:
            job.state = self.ends
            job.error.message = self.error
        return job

    def list(self, request: v1.ListCustomJobsRequest) -> v1.ListCustomJobsResponse:
        wanted = dict(re.findall(r'labels\.(\w+)="([^"]+)"', request.filter))
        found = [job for job in self.jobs.values() if wanted.items() <= dict(job.labels).items()]
        return v1.ListCustomJobsResponse(custom_jobs=found)

    def cancel(self, request: v1.CancelCustomJobRequest) -> empty_pb2.Empty:
        self.jobs[request.name].state = v1.JobState.JOB_STATE_CANCELLED
        return empty_pb2.Empty()

    @property
    def states(self) -> list[str]:
        return [job.state.name.removeprefix("JOB_STATE_") for job in self.jobs.values()]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexAI]:
    api = VertexAI()
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[api])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    here = grpc.insecure_channel(f"127.0.0.1:{port}")
    monkeypatch.setattr(JobServiceGrpcTransport, "create_channel", lambda *args, **kwargs: here)
    anonymous = google.auth.credentials.AnonymousCredentials()
    monkeypatch.setattr("google.auth.default", lambda *args, **kwargs: (anonymous, "my-project"))
    monkeypatch.setenv(labels.VARIABLE, json.dumps(RUN))
    yield api
    server.stop(None)
    here.close()


def train() -> None:
    """The stage, as Vertex AI's entry point calls it."""
    trainer.TrainerJob().Do({}, {}, {"custom_config": json.dumps(CONFIG)})


def test_the_job_has_the_labels_of_the_run_and_of_the_configuration(cloud: VertexAI) -> None:
    train()
    (job,) = cloud.jobs.values()
    assert {**RUN, "team": "vision"}.items() <= dict(job.labels).items()
    command = list(job.job_spec.worker_pool_specs[0].container_spec.command)
    assert (
        command[command.index("--executor_class_path") + 1]
        == "pipeline.platforms.vertex.executors.trainer.TrainerInJob"
    )
    assert cloud.states == ["SUCCEEDED"]


def test_the_logs_for_tensorboard_are_in_the_folder_of_the_run(cloud: VertexAI) -> None:
    model_run = standard_artifacts.ModelRun()
    model_run.uri = "gs://my-bucket/artifacts/cifar10/1/job/Trainer_2/model_run"
    described = copy.deepcopy(CONFIG)
    described[TRAINING_ARGS_KEY]["job_spec"] |= {"tensorboard": f"{PARENT}/tensorboards/17"}
    trainer.TrainerJob().Do({}, {"model_run": [model_run]}, {"custom_config": json.dumps(described)})
    (job,) = cloud.jobs.values()
    assert job.job_spec.tensorboard == f"{PARENT}/tensorboards/17"
    assert job.job_spec.base_output_directory.output_uri_prefix == model_run.uri


@pytest.mark.parametrize("when", ["CreateCustomJob", "GetCustomJob"])
def test_a_cancelled_task_stops_its_training(cloud: VertexAI, when: str) -> None:
    """Also while the request that creates the job is on its way: its name is not known yet."""
    cloud.ends = None

    def terminate(method: str) -> None:
        if method == when:
            os.kill(os.getpid(), signal.SIGTERM)

    cloud.on_request = terminate
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match="143"):
        train()
    assert cloud.states == ["CANCELLED"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_task_that_is_cancelled_before_it_trains_starts_nothing(cloud: VertexAI) -> None:
    cloud.on_request = lambda method: os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(SystemExit, match="143"):
        train()
    assert not cloud.jobs


def test_a_stage_that_runs_again_stops_what_its_earlier_attempt_left(cloud: VertexAI) -> None:
    for number, (stage, run) in enumerate((("trainer", "mine"), ("tuner", "mine"), ("trainer", "another"))):
        name = f"{PARENT}/customJobs/left-{number}"
        labelled = {labels.RUN: run, labels.STAGE: stage}
        cloud.jobs[name] = v1.CustomJob(name=name, labels=labelled, state=v1.JobState.JOB_STATE_RUNNING)
    train()
    assert cloud.states == ["CANCELLED", "RUNNING", "RUNNING", "SUCCEEDED"]


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "EXPIRED"])
def test_a_training_that_does_not_succeed_fails_its_stage(cloud: VertexAI, state: str) -> None:
    """An expired one too, for which TFX's own loop waits for ever."""
    cloud.ends, cloud.error = v1.JobState[f"JOB_STATE_{state}"], "The replica workerpool0-0\nexited."
    job = f"Job '{PARENT}/customJobs/1' did not succeed: The replica workerpool0-0 exited."
    with pytest.raises(trainer.TrainingError, match=job):
        train()
    assert cloud.states == [state]


def test_a_stage_that_loses_sight_of_its_training_stops_it(cloud: VertexAI, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(client: Any) -> None:
        raise ConnectionError("away")

    monkeypatch.setattr(trainer._Client, "get_job", lost)
    with pytest.raises(ConnectionError):
        train()
    assert cloud.states == ["CANCELLED"]
