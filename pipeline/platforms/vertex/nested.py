"""The jobs that the stages of a run start, which Vertex AI neither lists nor stops with it: found by their labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from google.cloud.aiplatform_v1 import JobServiceClient
from google.cloud.aiplatform_v1.types import CustomJob, JobState, ListCustomJobsRequest, PipelineJob

from pipeline.platforms.vertex import labels
from pipeline.platforms.vertex.cloud import TIMEOUT, Cloud, retry_transient

# What is being cancelled is not over, and there is nothing left to do about it.
OVER = {
    JobState.JOB_STATE_SUCCEEDED,
    JobState.JOB_STATE_FAILED,
    JobState.JOB_STATE_CANCELLING,
    JobState.JOB_STATE_CANCELLED,
    JobState.JOB_STATE_EXPIRED,
}


@dataclass(frozen=True)
class Nested:
    """A job that a stage started and that still runs."""

    text: str
    stop: Callable[[], None]


def trainings(cloud: Cloud, job: PipelineJob, stage: str = "") -> list[CustomJob]:
    """Return the custom jobs of a run, or of one stage of it, the newest first."""
    where = f'labels.{labels.RUN}="{labels.value(job.name.rpartition("/")[2])}"'
    if stage:
        where += f' AND labels.{labels.STAGE}="{labels.value(stage)}"'
    request = ListCustomJobsRequest(parent=cloud.parent, filter=where)
    found = cloud.client(JobServiceClient).list_custom_jobs(request, retry=retry_transient(), timeout=TIMEOUT)
    return sorted(found, key=lambda one: one.create_time, reverse=True)


def running_trainings(cloud: Cloud, job: PipelineJob) -> Iterator[Nested]:
    """Yield the custom jobs of a run that still run."""
    client = cloud.client(JobServiceClient)
    for one in trainings(cloud, job):
        if one.state not in OVER:

            def stop(name: str = one.name) -> None:
                client.cancel_custom_job(name=name, retry=retry_transient(), timeout=TIMEOUT)

            yield Nested(f"custom job {number(one)} ({one.display_name})", stop)


def running_on_dataflow(cloud: Cloud, job: PipelineJob) -> Iterator[Nested]:
    """Yield the Dataflow jobs of a run that still run. Only a single job's description has its labels."""
    if "--runner=DataflowRunner" not in json.dumps(_deployment(job)):
        return
    jobs = f"v1b3/projects/{cloud.project}/locations/{cloud.region}/jobs"
    wanted, page = labels.value(job.name.rpartition("/")[2]), ""
    while True:
        answer = cloud.ask("dataflow", f"{jobs}?{urlencode({'filter': 'ACTIVE', 'pageToken': page})}")
        for one in answer.get("jobs", ()):
            path = f"{jobs}/{one['id']}"
            described = cloud.ask("dataflow", f"{path}?view=JOB_VIEW_DESCRIPTION")
            if described.get("labels", {}).get(labels.RUN) == wanted:

                def stop(path: str = path) -> None:
                    cloud.ask("dataflow", path, {"requestedState": "JOB_STATE_CANCELLED"}, method="PUT")

                yield Nested(f"Dataflow job {one['id']} ({one.get('name', '')})", stop)
        page = answer.get("nextPageToken", "")
        if not page:
            return


KINDS = {"custom jobs": running_trainings, "Dataflow jobs": running_on_dataflow}


def number(job: CustomJob) -> str:
    return str(job.name.rpartition("/")[2])


def _deployment(job: PipelineJob) -> object:
    spec = PipelineJob.to_dict(job, including_default_value_fields=False).get("pipeline_spec") or {}
    return spec.get("deploymentSpec", {})
