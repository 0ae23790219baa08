"""The executors of Trainer and Tuner on Vertex AI, which start a custom job and wait for it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from absl import logging
from google.api_core import exceptions, retry
from google.cloud.aiplatform_v1.types import CustomJob, JobState, ListCustomJobsRequest
from tfx.extensions.google_cloud_ai_platform import constants, training_clients
from tfx.extensions.google_cloud_ai_platform.trainer import executor as ai_platform
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils, name_utils

from components.tfx_types import Artifacts
from components.trainer.executor import Executor, TunerExecutor
from pipeline import fingerprint
from pipeline.platforms.vertex import labels

POLL = 30  # seconds between two looks at the job
PATIENCE = 600.0  # seconds without an answer from Vertex AI after which the stage gives up
OVER = {
    JobState.JOB_STATE_SUCCEEDED,
    JobState.JOB_STATE_FAILED,
    JobState.JOB_STATE_CANCELLED,
    JobState.JOB_STATE_EXPIRED,  # its timeout; TFX's own loop waits for such a job for ever
}


class TrainerInJob(Executor):
    """The Trainer's executor in the image of the custom job, which may be another than that of the stages."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        fingerprint.check_code(exec_properties.get(fingerprint.CODE, ""))
        super().Do(input_dict, output_dict, exec_properties)


class TunerInJob(TunerExecutor):
    """The same of the Tuner."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        fingerprint.check_code(exec_properties.get(fingerprint.CODE, ""))
        super().Do(input_dict, output_dict, exec_properties)


class TrainingError(Exception):
    """The custom job did not succeed. The message names it: `vertex status` reads its log."""


class _Client(training_clients.VertexJobClient):
    """TFX's client of one custom job, which can also stop it."""

    def get_job(self) -> CustomJob:
        return self._client.get_custom_job(name=self._job_name, retry=retry.Retry(timeout=PATIENCE))

    def cancel(self, name: str) -> None:
        try:
            self._client.cancel_custom_job(name=name)
            logging.info("Asked Vertex AI to stop %s", name)
        except exceptions.GoogleAPICallError as error:  # the stage ends for another reason, which must stay visible
            logging.error("%s may still run and be billed: %s", name, error)

    def cancel_earlier(self, parent: str, own: dict[str, str]) -> None:
        """Stop what an earlier attempt of this stage left: it would write to the same place, and be paid for."""
        if labels.RUN not in own:
            return
        where = " AND ".join(f'labels.{key}="{own[key]}"' for key in (labels.RUN, labels.STAGE))
        for job in self._client.list_custom_jobs(ListCustomJobsRequest(parent=parent, filter=where)):
            if job.state not in OVER:
                self.cancel(job.name)


class _Launcher(ai_platform.GenericExecutor):
    """Starts a custom job, as custom_config describes it, waits for it, and never leaves it behind."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        config = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        described, region = config[ai_platform.TRAINING_ARGS_KEY], config[constants.VERTEX_REGION_KEY]
        project, own = described["project"], labels.given()
        client = _Client(region)
        job = client.create_training_job(
            input_dict,
            output_dict,
            exec_properties,
            name_utils.get_full_name(self._GetExecutorClass()),
            described,
            None,
            None,
        )
        job["labels"] = {**own, **job["labels"]}
        if job["job_spec"].get("tensorboard"):  # which shows what the job writes to `logs` there
            folder = artifact_utils.get_single_uri(output_dict[standard_component_specs.MODEL_RUN_KEY])
            job["job_spec"]["base_output_directory"] = {"output_uri_prefix": folder}
        with _sigterm() as received:
            client.cancel_earlier(f"projects/{project}/locations/{region}", own)
            _heed(received)
            client.launch_job(project, job)
            try:
                ended = _wait(client, received)
            except BaseException:
                client.cancel(client.get_job_name())
                raise
        if ended.state != JobState.JOB_STATE_SUCCEEDED:
            why = " ".join(ended.error.message.split()) or ended.state.name
            raise TrainingError(f"Job '{ended.name}' did not succeed: {why}")


class TrainerJob(_Launcher):
    """Starts a custom job which runs `TrainerInJob`."""

    def _GetExecutorClass(self) -> type[Executor]:
        return TrainerInJob


class TunerJob(_Launcher):
    """Starts a custom job that runs `TunerInJob`."""

    def _GetExecutorClass(self) -> type[TunerExecutor]:
        return TunerInJob


@contextmanager
def _sigterm() -> Iterator[list[int]]:
    """Collect the SIGTERMs, with which Vertex AI cancels a task.

    The handler raises nothing: within the request that creates the job, its name would be lost with the exception.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(client: _Client, received: list[int]) -> CustomJob:
    """Return the job when it is over. SystemExit if the stage is told to stop."""
    while True:
        job = client.get_job()
        if job.state in OVER:
            return job
        for _ in range(POLL):
            _heed(received)
            time.sleep(1)


def _heed(received: list[int]) -> None:
    if received:
        raise SystemExit(128 + received[0])
