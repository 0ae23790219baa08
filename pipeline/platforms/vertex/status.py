"""`vertex status`: the stages of a job until it ends, and its result."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from google.api_core import exceptions
from google.cloud.aiplatform_v1 import PipelineServiceClient
from google.cloud.aiplatform_v1.types import ListPipelineJobsRequest, PipelineJob, PipelineState, PipelineTaskDetail

from components.errors import UserError
from pipeline import ALL_STAGES
from pipeline.config import Config
from pipeline.platforms import stage_table
from pipeline.platforms.stage_table import StageTable
from pipeline.platforms.vertex import failures, nested
from pipeline.platforms.vertex.cloud import (
    FAILED,
    TIMEOUT,
    Cloud,
    CloudFault,
    connect,
    explain,
    job_page,
    one_line,
    retry_transient,
)
from pipeline.platforms.vertex.resources import JOB
from pipeline.runs.run_dir import REPORT_FILE
from pipeline.tables import print_table

Task = PipelineTaskDetail.State
ENDED = {
    PipelineState.PIPELINE_STATE_SUCCEEDED,
    PipelineState.PIPELINE_STATE_FAILED,
    PipelineState.PIPELINE_STATE_CANCELLED,
}
# In the words of a local run.
STATES = {
    Task.SUCCEEDED: "done",
    Task.SKIPPED: "cached",
    Task.FAILED: "failed",
    Task.CANCELLED: "interrupted",
    Task.NOT_TRIGGERED: "not run",
}
PACE = (2.0, 15.0)  # seconds between two polls: from the first value, growing to the second


def run(config: Config, job: str | None, wait: bool) -> int:
    """Show `job`, its name or its whole resource name, or the latest of the configuration's pipeline; follow it.

    Returns:
      The exit code, as of `follow`.

    Raises:
      UserError: there is no such job.
    """
    cloud, name = connect_to(config, job)
    client = cloud.client(PipelineServiceClient)
    try:
        latest = _find(client, cloud, name, config.name)
    except (exceptions.NotFound, exceptions.BadRequest):
        raise UserError(f"{cloud.project} has no job {job} in {cloud.region}") from None
    except exceptions.Forbidden as error:
        raise UserError(f"you may not look at the job: {explain(error)}") from None
    except FAILED as error:
        raise CloudFault(f"cannot look at the job: {explain(error)}") from None
    return follow(cloud, client, latest) if wait or latest.state in ENDED else announce(latest)


def announce(job: PipelineJob) -> int:
    """Print where the job is, and the commands that show and stop it."""
    _header(job)
    rows = [(task.task_name, STATES.get(task.state, task.state.name.lower())) for task in _stages(job)]
    print_table(rows, gap=1, least=(17,))
    print(f"the job keeps running; {_back(job)}")
    return 0


def follow(cloud: Cloud, client: PipelineServiceClient, job: PipelineJob) -> int:
    """Show the stages as they start and end. Ctrl-C leaves the job running, and a message says so.

    Returns:
      0 the job succeeded and the gates blessed the model; 1 it failed or was cancelled; 3 a gate refused.

    Raises:
      KeyboardInterrupt: the user has seen enough.
      CloudFault: Vertex AI no longer answers. The job keeps running.
    """
    _header(job)
    try:
        with stage_table.make(_chain(job), sys.stdout) as screen:
            job = _watch(client, job, screen)
    except KeyboardInterrupt:
        print(f"\nthe job keeps running; {_back(job)}", flush=True)
        raise
    except FAILED as error:
        raise CloudFault(f"lost sight of the job ({explain(error)}); it keeps running; {_back(job)}") from None
    return _verdict(cloud, job)


def connect_to(config: Config, job: str | None) -> tuple[Cloud, str]:
    """Return the cloud that a job is in, and its resource name; empty where no job is named."""
    match = JOB.fullmatch(job or "")
    cloud = connect(config.vertex.model_copy(update=match.groupdict()) if match else config.vertex)
    if job and not match:
        return cloud, f"{cloud.parent}/pipelineJobs/{job}"
    return cloud, job or ""


def _find(client: PipelineServiceClient, cloud: Cloud, name: str, pipeline: str) -> PipelineJob:
    if not name:
        request = ListPipelineJobsRequest(
            parent=cloud.parent, filter=f'display_name="{pipeline}"', order_by="create_time desc", page_size=1
        )
        jobs = client.list_pipeline_jobs(request, retry=retry_transient(), timeout=TIMEOUT)
        latest = next(iter(jobs), None)
        if latest is None:
            raise UserError(f"{cloud.project} has no job of the pipeline {pipeline!r} in {cloud.region}")
        name = latest.name
    return client.get_pipeline_job(name=name, retry=retry_transient(), timeout=TIMEOUT)


def _header(job: PipelineJob) -> None:
    print(f"job       {job.name.rpartition('/')[2]}")
    print(f"console   {job_page(job.name)}", flush=True)


def _back(job: PipelineJob) -> str:
    return f"see it:  image-pipeline vertex status {job.name}\nstop it: image-pipeline vertex cancel {job.name}"


def _chain(job: PipelineJob) -> list[str]:
    """Return the stages in the order of the chain, which the spec does not keep."""
    root: Any = dict(job.pipeline_spec or {}).get("root", {})
    names = sorted(root.get("dag", {}).get("tasks", {}))
    places = {name: place for place, name in enumerate(ALL_STAGES)}
    # TFX makes two tasks of a resolver for models: Baseline-model-resolver.
    return sorted(names, key=lambda name: places.get(name.partition("-")[0], len(places)))


def _stages(job: PipelineJob) -> Iterator[PipelineTaskDetail]:
    """Return the tasks that are stages: Vertex AI lists the whole pipeline as a task too."""
    names = _chain(job)
    return (task for task in job.job_detail.task_details if task.task_name in names)


def _watch(client: PipelineServiceClient, job: PipelineJob, screen: StageTable) -> PipelineJob:
    states: dict[str, Any] = {}
    wait, slowest = PACE
    screen.left = "waiting"  # the job keeps running if the user stops watching
    while True:
        for task in _stages(job):
            if states.get(task.task_name) == task.state:
                continue
            states[task.task_name] = task.state
            if task.state == Task.RUNNING:
                screen.started(task.task_name, _seconds(task))
                screen.plain(f"  {task.task_name:<17} running")
            elif task.state in STATES and task.state != Task.NOT_TRIGGERED:
                screen.ended(task.task_name, STATES[task.state], _seconds(task))
        if job.state in ENDED:
            screen.left = "not run"
            return job
        time.sleep(wait)
        wait = min(wait * 1.3, slowest)
        retry = retry_transient(exceptions.TooManyRequests, on_error=lambda e: screen.status(f"{explain(e)}; retrying"))
        job = client.get_pipeline_job(name=job.name, retry=retry, timeout=TIMEOUT)
        screen.status("")


def _seconds(task: PipelineTaskDetail) -> float:
    """Return how long the stage ran, or has run."""
    began, ended = task.start_time or task.create_time, task.end_time or datetime.now(timezone.utc)
    return max(0.0, (ended - began).total_seconds()) if began else 0.0


def _verdict(cloud: Cloud, job: PipelineJob) -> int:
    for folder in _reports(job):
        print(f"report    gcloud storage cp {folder}/{REPORT_FILE} .")
    if job.state == PipelineState.PIPELINE_STATE_CANCELLED:
        print("cancelled; nothing was pushed after that")
        _left_behind(cloud, job)
        return 1
    if job.state == PipelineState.PIPELINE_STATE_SUCCEEDED:
        refused = [task.task_name for task in _stages(job) if _refused(task)]
        if refused:
            print(f"refused   by {' and '.join(refused)}: nothing was pushed")
            return 3
        print("succeeded")
        return 0
    failed = [task for task in _stages(job) if task.state == Task.FAILED]
    codes = {failures.tell(cloud, job, task) for task in failed}
    if not failed:
        print(f"failed    {one_line(job.error.message) or 'no reason given'}")
    _left_behind(cloud, job)
    return 3 if codes == {3} else 1


def _reports(job: PipelineJob) -> Iterator[str]:
    """Return the folder of the report, if the run got that far."""
    for task in _stages(job):
        if task.task_name == "Report" and task.state in (Task.SUCCEEDED, Task.SKIPPED):
            yield from (artifact.uri for outputs in task.outputs.values() for artifact in outputs.artifacts)


def _refused(task: PipelineTaskDetail) -> bool:
    """Return True if the stage (Evaluator or ServingCheck) wrote a blessing that refuses the model."""
    artifacts = (artifact for outputs in task.outputs.values() for artifact in outputs.artifacts)
    return any(dict(artifact.metadata or {}).get("blessed") == 0 for artifact in artifacts)


def _left_behind(cloud: Cloud, job: PipelineJob) -> None:
    """Say which jobs of a run that has ended still run: Vertex AI stops a stage, and not what the stage started."""
    for kind, running in nested.KINDS.items():
        try:
            for one in running(cloud, job):
                print(f"running   {one.text}, which is billed; stop it: image-pipeline vertex cancel {job.name}")
        except FAILED as error:
            print(f"note      could not look whether {kind} of it still run ({explain(error)})")
