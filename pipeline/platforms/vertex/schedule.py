"""`vertex schedule`: runs of the pipeline at the times of a cron expression."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from google.api_core import exceptions
from google.cloud.aiplatform_v1 import ScheduleServiceClient
from google.cloud.aiplatform_v1.types import CreatePipelineJobRequest, ListSchedulesRequest, PipelineJob, Schedule

from components.errors import UserError
from pipeline.config import Config
from pipeline.platforms.vertex import labels, parameters, submit
from pipeline.platforms.vertex.cloud import (
    CONSOLE,
    FAILED,
    TIMEOUT,
    Cloud,
    CloudFault,
    connect,
    explain,
    retry_transient,
    retry_unsent,
)

PERMISSIONS = ("aiplatform.schedules.create", "aiplatform.schedules.list", "aiplatform.pipelineJobs.create")


def run(config: Config, cron: str, spec: Path | None, given: Sequence[tuple[str, str]]) -> int:
    """Have Vertex AI start the pipeline at the times of `cron`; one schedule a pipeline.

    Vertex AI names schedules itself, so a repeated request creates a second one. An existing schedule is therefore
    looked for first, and a request that may have arrived is not repeated.

    Raises:
      UserError: something is missing in the cloud, the pipeline has another schedule, or cron is refused.
      CloudFault: Vertex AI does not answer.
    """
    values = parameters.values(config, given)
    cloud = connect(config.vertex)
    if config.vertex.experiment:
        print("note      vertex.experiment is for `submit`: Vertex AI adds no run of a schedule to an experiment")
    job = submit.build(config, cloud, spec, values)
    submit.preflight(config, cloud, job, PERMISSIONS)
    client = cloud.client(ScheduleServiceClient)
    try:
        schedule = _same(find(client, cloud, config.name), job, cron)
        if schedule is None:
            schedule = _create(client, cloud, config.name, job, cron)
        else:
            print("it exists already")
    except (exceptions.BadRequest, exceptions.Forbidden, exceptions.NotFound) as error:
        raise UserError(f"Vertex AI refuses the schedule: {explain(error)}") from None
    except FAILED as error:
        raise CloudFault(f"cannot make the schedule: {explain(error)}; the same command looks for it first") from None
    next_run = f", next at {schedule.next_run_time}" if schedule.next_run_time else ""
    print(f"schedule  {schedule.cron}{next_run}")
    print(f"console   {page(schedule)}")
    return 0


def delete(config: Config) -> int:
    """Delete the schedules of the configuration's pipeline. Running jobs continue."""
    cloud = connect(config.vertex)
    client = cloud.client(ScheduleServiceClient)
    try:
        schedules = find(client, cloud, config.name)
        for schedule in schedules:
            with contextlib.suppress(exceptions.NotFound):  # already deleted; the response was lost
                client.delete_schedule(name=schedule.name, retry=retry_transient(), timeout=TIMEOUT)
            print(f"deleted   {schedule.cron} ({schedule.name})")
    except FAILED as error:
        raise CloudFault(f"cannot delete the schedule: {explain(error)}") from None
    if not schedules:
        print(f"the pipeline {config.name!r} has no schedule in {cloud.region}")
    return 0


def find(client: ScheduleServiceClient, cloud: Cloud, pipeline: str) -> list[Schedule]:
    """Return the schedules of a pipeline that are not over."""
    request = ListSchedulesRequest(parent=cloud.parent, filter=f'display_name="{pipeline}"')
    schedules = client.list_schedules(request, retry=retry_transient(), timeout=TIMEOUT)
    return [schedule for schedule in schedules if schedule.state != Schedule.State.COMPLETED]


def page(schedule: Schedule) -> str:
    _, project, _, region, _, name = schedule.name.split("/")
    return f"{CONSOLE}/vertex-ai/locations/{region}/pipelines/schedules/{name}?project={project}"


def _same(schedules: list[Schedule], job: PipelineJob, cron: str) -> Schedule | None:
    for schedule in schedules:
        if _content(schedule) == job.labels[labels.CONTENT] and schedule.cron == cron:
            return schedule
    if schedules:
        text = f"the pipeline has another schedule already, {schedules[0].cron!r} ({schedules[0].name})"
        raise UserError(f"{text}; delete it first: image-pipeline vertex schedule --delete")
    return None


def _content(schedule: Schedule) -> str:
    return schedule.create_pipeline_job_request.pipeline_job.labels.get(labels.CONTENT, "")


def _create(client: ScheduleServiceClient, cloud: Cloud, pipeline: str, job: PipelineJob, cron: str) -> Schedule:
    schedule = Schedule(
        display_name=pipeline,
        cron=cron,
        max_concurrent_run_count=1,  # the next run waits for a late one
        create_pipeline_job_request=CreatePipelineJobRequest(parent=cloud.parent, pipeline_job=job),
    )
    try:
        return client.create_schedule(parent=cloud.parent, schedule=schedule, retry=retry_unsent(), timeout=TIMEOUT)
    except FAILED as error:
        if isinstance(error, exceptions.ClientError):
            raise
        existing = _same(find(client, cloud, pipeline), job, cron)
        if existing is None:
            raise
        print("the answer was lost, and the schedule exists")
        return existing
