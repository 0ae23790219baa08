"""Vertex AI Experiments: a run of `submit` in the experiment that the configuration names, for comparison with others.

An experiment is a context of Vertex ML Metadata, and a run is in it when its own context is a child of that one: what
google-cloud-aiplatform's PipelineJob.submit(experiment=…) makes too, with requests that may be repeated.
"""

from __future__ import annotations

import contextlib
import time

from google.api_core import exceptions
from google.cloud.aiplatform_v1 import MetadataServiceClient, PipelineServiceClient
from google.cloud.aiplatform_v1.types import Context, PipelineJob

from pipeline.platforms.vertex.cloud import CONSOLE, FAILED, SHORT, TIMEOUT, Cloud, explain, retry_transient

SCHEMA, VERSION = "system.Experiment", "0.0.1"
FIELDS = {"experiment_deleted": False}  # by which the console finds experiments
OF_TENSORBOARD = "tensorboard_link"  # a field of a custom job's own experiment, which the console shows elsewhere
PATIENCE = 120.0  # seconds until a new job has its context
PACE = 2.0  # seconds between two looks


def problem(cloud: Cloud, name: str) -> str:
    """Return why the run cannot be in the experiment `name`; empty if it is one, or there is nothing of this name."""
    client = cloud.client(MetadataServiceClient)
    try:
        found = client.get_context(name=_path(cloud, name), retry=retry_transient(deadline=SHORT), timeout=TIMEOUT)
    except exceptions.NotFound:
        return ""
    if found.schema_title != SCHEMA:
        return f"{name!r} in Vertex ML Metadata is no experiment, but of the type {found.schema_title}"
    return f"{name!r} is the experiment of a TensorBoard" if OF_TENSORBOARD in dict(found.metadata or {}) else ""


def add(cloud: Cloud, jobs: PipelineServiceClient, job: PipelineJob, name: str) -> None:
    """Add the run of a job that was sent to an experiment, which is made if there is none, and say so.

    The job runs in any case: what goes wrong is printed, with the command that adds the run.
    """
    try:
        run = _run_of(jobs, job)
        if run:
            _add(cloud.client(MetadataServiceClient), cloud, run, name)
            place = f"vertex-ai/experiments/locations/{cloud.region}/experiments/{name}"
            print(f"experiment {CONSOLE}/{place}?project={cloud.project}")
            return
        why = f"Vertex AI has not begun with it within {PATIENCE:.0f} s"
    except FAILED as error:
        why = explain(error)
    job_id = job.name.rpartition("/")[2]
    print(f"note      the run is not in the experiment {name} ({why}): the same command with --job-id {job_id} adds it")


def _run_of(jobs: PipelineServiceClient, job: PipelineJob) -> str:
    """Return the context of a job, which Vertex AI makes some time after the job; empty if there is none for long."""
    give_up = time.monotonic() + PATIENCE
    while not job.job_detail.pipeline_run_context.name:
        if time.monotonic() > give_up or job.end_time:
            return ""
        time.sleep(PACE)
        job = jobs.get_pipeline_job(name=job.name, retry=retry_transient(), timeout=TIMEOUT)
    return str(job.job_detail.pipeline_run_context.name)


def _add(client: MetadataServiceClient, cloud: Cloud, run: str, name: str) -> None:
    path, again = _path(cloud, name), retry_transient()
    try:
        client.get_context(name=path, retry=again, timeout=TIMEOUT)
    except exceptions.NotFound:
        experiment = Context(display_name=name, schema_title=SCHEMA, schema_version=VERSION, metadata=FIELDS)
        store = path.partition("/contexts/")[0]
        with contextlib.suppress(exceptions.Conflict):  # the answer was lost, or another run has made it meanwhile
            client.create_context(parent=store, context=experiment, context_id=name, retry=again, timeout=TIMEOUT)
    # Those that are in it already are skipped.
    client.add_context_children(context=path, child_contexts=[run], retry=again, timeout=TIMEOUT)


def _path(cloud: Cloud, name: str) -> str:
    return f"{cloud.parent}/metadataStores/default/contexts/{name}"
