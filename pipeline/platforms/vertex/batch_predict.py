"""`vertex batch-predict`: a custom job that runs `image-pipeline predict` over a folder of the bucket, into a table."""

from __future__ import annotations

import re
import time
from urllib.parse import urlencode

from google.api_core import exceptions
from google.cloud.aiplatform_v1 import JobServiceClient
from google.cloud.aiplatform_v1.types import CustomJob, JobState, ListCustomJobsRequest

from components.contracts.model import SAVED_MODEL_FILE
from components.errors import UserError
from components.text import printable
from pipeline.config import Config
from pipeline.platforms.vertex import failures, labels, machines, names, nested, status
from pipeline.platforms.vertex.cloud import (
    CONSOLE,
    FAILED,
    TIMEOUT,
    Cloud,
    CloudFault,
    connect,
    explain,
    log_page,
    retry_transient,
    retry_unsent,
)
from pipeline.platforms.vertex.pin import pinned
from pipeline.platforms.vertex.preflight import Finding, Requirements, check, settle
from pipeline.platforms.vertex.submit import SERVICES, new_id
from pipeline.prediction.reading import Limits

PERMISSIONS = ("aiplatform.customJobs.create", "aiplatform.customJobs.get", "aiplatform.customJobs.list")
_ENDED = nested.OVER - {JobState.JOB_STATE_CANCELLING}


def run(config: Config, folder: str, output: str, model: str | None, hours: float, wait: bool) -> int:
    """Check what the job needs, send it, and follow it if `wait`.

    Args:
      config: its name is that of the model, and its `data` has the limits within which images are read.
      folder: gs://… with the images.
      output: gs://… of the table.
      model: gs://… of a version; the latest pushed one if None.
      hours: after which Vertex AI stops the job.
      wait: whether to follow the job.

    Returns:
      The exit code: as `follow`; 0 without `wait`.

    Raises:
      UserError: something is missing in the cloud, or Vertex AI refuses the job.
      CloudFault: Google Cloud does not answer.
    """
    cloud = connect(config.vertex)
    try:
        model = model or _latest(cloud, config)
        settle([*check(cloud, _requirements(config, folder, output)), *_missing(cloud, output, model)])
    except FAILED as error:
        raise CloudFault(f"cannot look into the bucket ({explain(error)}); nothing was sent") from None
    job = build(config, pinned(cloud, names.image(config), (names.image(config),)), folder, output, model, hours)
    print(f"sending   {job.display_name}")
    print(f"model     {model}", flush=True)
    client = cloud.client(JobServiceClient)
    sent = _send(client, cloud, job)
    print(f"job       {nested.number(sent)}")
    print(f"console   {page(sent)}")
    print(f"log       {log_page(cloud.project, nested.number(sent))}", flush=True)
    if not wait:
        print(f"the job keeps running; {_stop(sent)}")
        return 0
    return follow(client, cloud, sent, output)


def build(config: Config, image: str, folder: str, output: str, model: str, hours: float) -> CustomJob:
    """Return the job: one machine, on which the image runs `predict`."""
    vertex = config.vertex
    name = new_id(f"predict-{config.name}")
    # The images are read as those that the model was trained on, whatever the image's own defaults are.
    limits = [
        word
        for key, value in Limits.of(config.data)._asdict().items()
        for word in ("--set", f"data.{key}={'null' if value is None else value}")
    ]
    command = ["python", "-m", "pipeline", "predict", folder, "--model", model, "--output", output, *limits]
    pool = {
        "machine_spec": {"machine_type": machines.fitting(vertex.cpu, vertex.memory_gb)},
        "replica_count": 1,
        "container_spec": {"image_uri": image, "command": command},
    }
    return CustomJob(
        display_name=name,
        job_spec={
            "worker_pool_specs": [pool],
            "scheduling": {"timeout": {"seconds": round(hours * 3600)}},
            **vertex.access,
        },
        labels={**vertex.labels, labels.RUN: labels.value(name), labels.STAGE: "predict"},
        encryption_spec={"kms_key_name": vertex.encryption_key} if vertex.encryption_key else None,
    )


def follow(client: JobServiceClient, cloud: Cloud, job: CustomJob, output: str) -> int:
    """Follow the job until it ends. Ctrl-C leaves it running, and a message says so.

    Returns:
      0 every image has an answer; 2 the table is there, and some have none; 1 there is no table.

    Raises:
      KeyboardInterrupt: the user has seen enough.
      CloudFault: Vertex AI no longer answers. The job keeps running.
    """
    seen, (wait, slowest) = None, status.PACE
    try:
        while True:
            if job.state != seen:
                seen = job.state
                print(f"state     {seen.name.removeprefix('JOB_STATE_').lower()}", flush=True)
            if job.state in _ENDED:
                return _verdict(cloud, job, output)
            time.sleep(wait)
            wait = min(wait * 1.3, slowest)
            retry = retry_transient(exceptions.TooManyRequests)
            job = client.get_custom_job(name=job.name, retry=retry, timeout=TIMEOUT)
    except KeyboardInterrupt:
        print(f"\nthe job keeps running; {_stop(job)}", flush=True)
        raise
    except FAILED as error:
        raise CloudFault(f"lost sight of the job ({explain(error)}); it keeps running; {_stop(job)}") from None


def page(job: CustomJob) -> str:
    _, project, _, region, _, number = job.name.split("/")
    return f"{CONSOLE}/vertex-ai/locations/{region}/training/{number}?project={project}"


def _verdict(cloud: Cloud, job: CustomJob, output: str) -> int:
    number = nested.number(job)
    written = _exists(cloud, output)
    if written:
        print(printable(_said(cloud, number, "table ") or f"table     {output}", 4096))
    if job.state == JobState.JOB_STATE_SUCCEEDED and written:
        return 0
    if job.state == JobState.JOB_STATE_FAILED and written:  # the table is the last that the command writes
        print("          some images have no answer: the column `error` says why, and Vertex AI calls the job failed")
        return 2
    if job.error.message:
        print(f"failed    {printable(' '.join(job.error.message.split()), 500)}")
    print(printable(_said(cloud, number, "error: "), 500) or "no table was written; the log may say why")
    return 1


def _said(cloud: Cloud, number: str, beginning: str) -> str:
    """Return the last line of the job's log that begins so; empty if there is none, or it may not be read."""
    return next((line for _, line in failures.lines(cloud, number) if line.startswith(beginning)), "")


def _stop(job: CustomJob) -> str:
    _, project, _, region, _, number = job.name.split("/")
    return f"see it:  {page(job)}\nstop it: gcloud ai custom-jobs cancel {number} --region={region} --project={project}"


def _requirements(config: Config, folder: str, output: str) -> Requirements:
    vertex = config.vertex
    return Requirements(
        bucket=output.split("/")[2],
        bucket_is_guessed=False,
        data=f"{folder}/",
        images=(names.image(config),),
        services=tuple(f"{name}.googleapis.com" for name in SERVICES),
        permissions=PERMISSIONS,
        service_account=vertex.service_account,
    )


def _missing(cloud: Cloud, output: str, model: str) -> list[Finding]:
    findings = []
    if _exists(cloud, output):
        findings.append(
            Finding(f"{output} is there already; name another file, or remove it", f"gcloud storage rm {output}")
        )
    if not _exists(cloud, f"{model}/{SAVED_MODEL_FILE}"):
        findings.append(
            Finding(f"{model} is no folder of a pushed version; see which there are", f"gcloud storage ls {model}/..")
        )
    return findings


def _latest(cloud: Cloud, config: Config) -> str:
    """Return the folder of the latest complete version of the pipeline's model. UserError if there is none."""
    if config.vertex.bucket is None:  # its name is guessed, and another project's may have it
        raise UserError("name the model, --model gs://BUCKET/serving/NAME/VERSION, or its bucket, vertex.bucket")
    folder = f"{names.bucket(config)}/serving/{config.name}"
    pattern = re.compile(rf"{re.escape(folder)}/(\d+)/{re.escape(SAVED_MODEL_FILE)}")
    versions = [int(match[1]) for name in _objects(cloud, f"{folder}/") if (match := pattern.fullmatch(name))]
    if not versions:
        raise UserError(f"no model was pushed to {folder}; run the pipeline first, or name one with --model")
    return f"{folder}/{max(versions)}"


def _exists(cloud: Cloud, path: str) -> bool:
    return path in _objects(cloud, path)


def _objects(cloud: Cloud, prefix: str) -> list[str]:
    """Return the paths of the objects that begin with `prefix`; none where there is no such bucket."""
    bucket, _, path = prefix.removeprefix("gs://").partition("/")
    found: list[str] = []
    token = ""
    while True:
        page_of = {"pageToken": token} if token else {}
        query = urlencode({"prefix": path, "fields": "items(name),nextPageToken", **page_of})
        try:
            answer = cloud.ask("storage", f"storage/v1/b/{bucket}/o?{query}")
        except exceptions.NotFound:
            return found
        found += [f"gs://{bucket}/{item['name']}" for item in answer.get("items", ())]
        token = str(answer.get("nextPageToken", ""))
        if not token:
            return found


def _send(client: JobServiceClient, cloud: Cloud, job: CustomJob) -> CustomJob:
    """Create the job once. Vertex AI numbers custom jobs itself, so a request that may have arrived is not repeated."""
    try:
        return client.create_custom_job(parent=cloud.parent, custom_job=job, retry=retry_unsent(), timeout=TIMEOUT)
    except exceptions.TooManyRequests as error:
        quotas = f"{CONSOLE}/iam-admin/quotas?project={cloud.project}"
        raise CloudFault(
            f"a quota is used up, nothing was started ({explain(error)}); ask for more: {quotas}"
        ) from None
    except exceptions.ClientError as error:
        raise UserError(f"Vertex AI refuses the job: {explain(error)}") from None
    except FAILED as error:
        where = f'labels.{labels.RUN}="{job.labels[labels.RUN]}"'
        request = ListCustomJobsRequest(parent=cloud.parent, filter=where)
        try:
            found = list(client.list_custom_jobs(request, retry=retry_transient(), timeout=TIMEOUT))
        except FAILED:
            found = []
        if found:
            print("          the answer was lost, and the job exists")
            return found[0]
        look = f"gcloud ai custom-jobs list --region={cloud.region} --filter=displayName={job.display_name}"
        raise CloudFault(
            f"no answer whether the job was made ({explain(error)}); look before you repeat it: {look}"
        ) from None
