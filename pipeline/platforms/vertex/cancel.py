"""`vertex cancel`: stop a job and all that its stages started."""

from __future__ import annotations

import contextlib

from google.api_core import exceptions
from google.cloud.aiplatform_v1 import PipelineServiceClient
from google.cloud.aiplatform_v1.types import ListPipelineJobsRequest

from components.errors import UserError
from pipeline.config import Config
from pipeline.platforms.vertex import nested, status
from pipeline.platforms.vertex.cloud import FAILED, TIMEOUT, Cloud, CloudFault, explain, retry_transient

COMMAND = "image-pipeline vertex cancel"


def run(config: Config, job: str | None) -> int:
    """Ask Google Cloud to stop `job`, its name or its whole resource name, and the jobs that its stages started.

    A job that has ended is no mistake: a training that it left behind is stopped.

    Raises:
      UserError: there is no such job, or none is named.
      CloudFault: Google Cloud does not answer, or something of the run may still run.
    """
    cloud, name = status.connect_to(config, job)
    client = cloud.client(PipelineServiceClient)
    try:
        if not name:
            raise UserError(_which(client, cloud, config.name))
        found = client.get_pipeline_job(name=name, retry=retry_transient(), timeout=TIMEOUT)
        if found.state not in status.ENDED:
            client.cancel_pipeline_job(name=name, retry=retry_transient(), timeout=TIMEOUT)
    except exceptions.NotFound:
        raise UserError(f"{cloud.project} has no job {job} in {cloud.region}") from None
    except (exceptions.BadRequest, exceptions.Forbidden) as error:
        raise UserError(f"{job or 'the job'} cannot be stopped: {explain(error)}") from None
    except FAILED as error:
        raise CloudFault(f"cannot stop {job or 'the job'}: {explain(error)}") from None
    short = name.rpartition("/")[2]
    stopping = f"is being stopped; see it end: image-pipeline vertex status {name}"
    print(f"{short} {'has ended already' if found.state in status.ENDED else stopping}", flush=True)
    problems = []
    for kind, running in nested.KINDS.items():
        try:
            for one in running(cloud, found):
                with contextlib.suppress(exceptions.NotFound, exceptions.BadRequest):  # it has ended in the meantime
                    one.stop()
                    print(f"{one.text} is being stopped", flush=True)
        except FAILED as error:
            problems.append(f"{kind} of {short} may still run ({explain(error)})")
    if problems:
        raise CloudFault(f"{'; '.join(problems)}; the same command tries again: {COMMAND} {name}")
    return 0


def _which(client: PipelineServiceClient, cloud: Cloud, pipeline: str) -> str:
    """Return what to say where no job is named: the commands that stop those that run."""
    states = " OR ".join(f'state="PIPELINE_STATE_{state}"' for state in ("QUEUED", "PENDING", "RUNNING"))
    request = ListPipelineJobsRequest(
        parent=cloud.parent, filter=f'display_name="{pipeline}" AND ({states})', order_by="create_time desc"
    )
    jobs = [job.name for job in client.list_pipeline_jobs(request, retry=retry_transient(), timeout=TIMEOUT)]
    if not jobs:
        return f"name the job to stop; no job of the pipeline {pipeline!r} runs in {cloud.region}"
    return "\n  ".join(["name the job to stop:", *(f"{COMMAND} {name}" for name in jobs)])
