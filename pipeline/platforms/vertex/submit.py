"""`vertex submit`: one job, sent once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from google.api_core import exceptions
from google.cloud import aiplatform
from google.cloud.aiplatform_v1 import PipelineServiceClient
from google.cloud.aiplatform_v1.types import EncryptionSpec, PipelineJob, PscInterfaceConfig

from components.errors import UserError
from pipeline.config import Config
from pipeline.output import redirect_output
from pipeline.platforms.vertex import compile, experiments, labels, names, parameters, status
from pipeline.platforms.vertex.cloud import (
    CONSOLE,
    FAILED,
    TIMEOUT,
    Cloud,
    CloudFault,
    connect,
    explain,
    retry_transient,
)
from pipeline.platforms.vertex.pin import pinned
from pipeline.platforms.vertex.preflight import Requirements, check, settle

SERVICES = ("aiplatform", "artifactregistry", "compute", "storage")
CREATE = ("aiplatform.pipelineJobs.create", "aiplatform.pipelineJobs.get", "aiplatform.pipelineJobs.list")


def run(config: Config, spec: Path | None, given: Sequence[tuple[str, str]], job_id: str | None, wait: bool) -> int:
    """Run the preflight checks, submit the job, and follow it if `wait`.

    Args:
      spec: the compiled pipeline; compiled from `config` if None.
      given: parameters of the run, (name, value as text).
      job_id: its name in Vertex AI. Sent again under the same name, the same job is not made twice.

    Returns:
      The exit code: as status.follow; 0 without `wait`.

    Raises:
      UserError: something is missing in the cloud, or the spec or a parameter does not fit.
      CloudFault: Vertex AI refuses the job, or does not answer.
    """
    values = parameters.values(config, given)
    cloud = connect(config.vertex)
    job = build(config, cloud, spec, values)
    preflight(config, cloud, job, CREATE)
    job_id = job_id or new_id(config.name)
    job.labels[labels.RUN] = labels.value(job_id)
    client = cloud.client(PipelineServiceClient)
    print(f"sending   {job_id}", flush=True)
    try:
        sent = send(client, cloud, job, job_id)
        if config.vertex.experiment:
            experiments.add(cloud, client, sent, config.vertex.experiment)
    except KeyboardInterrupt:
        name = f"{cloud.parent}/pipelineJobs/{job_id}"
        print(f"\nit may have been submitted; image-pipeline vertex status {name} shows it", flush=True)
        raise
    print(f"artifacts {sent.runtime_config.gcs_output_directory}")
    return status.follow(cloud, client, sent) if wait else status.announce(sent)


def build(config: Config, cloud: Cloud, spec: Path | None, values: dict[str, Any]) -> PipelineJob:
    """Return the job, which google-cloud-aiplatform's PipelineJob makes from the spec."""
    with tempfile.TemporaryDirectory() as folder:
        if spec is None:
            with redirect_output(os.devnull):
                content = json.dumps(compile.spec(config))
        else:
            content = spec.read_text(encoding="utf-8")
        path = Path(folder) / "pipeline.json"
        images = (names.image(config), names.trainer_image(config))
        path.write_text(pinned(cloud, content, images), encoding="utf-8")
        vertex = config.vertex
        aiplatform.init(project=cloud.project, location=cloud.region, credentials=cloud.credentials)
        try:
            built = aiplatform.PipelineJob(
                display_name=config.name,
                template_path=str(path),
                parameter_values=values,
                # None leaves to each stage what it was compiled with.
                enable_caching=None if vertex.caching else False,
                labels=dict(vertex.labels) or None,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{spec or 'the pipeline'} cannot be made a job of Vertex AI: {explain(error)}") from None
    # Its submit() would create a missing bucket, open it to the default account, and could not be repeated safely.
    job = PipelineJob(
        display_name=config.name,
        pipeline_spec=built.pipeline_spec,
        runtime_config=built.runtime_config,
        labels=vertex.labels,
        service_account=vertex.service_account or "",
        network=vertex.network or "",
    )
    if vertex.encryption_key:
        job.encryption_spec = EncryptionSpec(kms_key_name=vertex.encryption_key)
    if vertex.network_attachment:
        job.psc_interface_config = PscInterfaceConfig(network_attachment=vertex.network_attachment)
    content = PipelineJob.pb(job).SerializeToString(deterministic=True)
    job.labels[labels.CONTENT] = hashlib.sha256(content).hexdigest()[:32]
    return job


def preflight(config: Config, cloud: Cloud, job: PipelineJob, permissions: tuple[str, ...]) -> None:
    """Run the preflight checks and print what was not checked. UserError if something is missing."""
    vertex, trainer = config.vertex, config.vertex.trainer
    root = job.runtime_config.gcs_output_directory
    if not re.fullmatch(r"gs://[^/]+(/.*)?", root):
        raise UserError(f"the spec writes to {root!r}, which is not in Cloud Storage: set vertex.bucket and compile it")
    accelerator, count = trainer.accelerator, trainer.accelerator_count
    if slice_ := re.fullmatch(r"ct5lp-\w+-(\d+)t", trainer.machine_type):
        accelerator, count = "TPU_V5e", int(slice_[1])
    requirements = Requirements(
        bucket=root.split("/")[2],
        bucket_is_guessed=vertex.bucket is None,
        data=_data(job),
        images=tuple(dict.fromkeys([*_images(job), names.trainer_image(config)])),
        services=tuple(
            f"{name}.googleapis.com" for name in (*SERVICES, *(["dataflow"] if vertex.dataflow.max_workers else []))
        ),
        permissions=permissions,
        service_account=vertex.service_account,
        accelerator=accelerator,
        accelerators=count * max(trainer.workers, trainer.parallel_trials if config.tuner.trials else 1),
        tensorboard=vertex.tensorboard,
        experiment=vertex.experiment,
        spot=trainer.spot,
    )
    settle(check(cloud, requirements))


def send(client: PipelineServiceClient, cloud: Cloud, job: PipelineJob, job_id: str) -> PipelineJob:
    """Create the job exactly once, even if the response is lost and the request repeated: this side names it."""
    name = f"{cloud.parent}/pipelineJobs/{job_id}"
    try:
        return client.create_pipeline_job(
            parent=cloud.parent, pipeline_job=job, pipeline_job_id=job_id, retry=retry_transient(), timeout=TIMEOUT
        )
    except exceptions.Conflict:
        existing = client.get_pipeline_job(name=name, retry=retry_transient(), timeout=TIMEOUT)
        if existing.labels.get(labels.CONTENT) != job.labels[labels.CONTENT]:
            raise UserError(f"another job is named {job_id}: give it another --job-id") from None
        print("          it exists already")
        return existing
    except exceptions.TooManyRequests as error:
        page = f"{CONSOLE}/iam-admin/quotas?project={cloud.project}"
        raise CloudFault(f"a quota is used up, nothing was started ({explain(error)}); ask for more: {page}") from None
    except (exceptions.BadRequest, exceptions.Forbidden, exceptions.NotFound) as error:
        raise UserError(f"Vertex AI refuses the job: {explain(error)}") from None
    except FAILED as error:
        again_ = f"the same command with `--job-id {job_id}` continues without starting it twice"
        raise CloudFault(f"no answer whether the job was made ({explain(error)}); {again_}") from None


def new_id(name: str) -> str:
    """Return a name for a job that no other has: its pipeline, the time in UTC and a random part."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80]
    slug = slug if slug[:1].isalpha() else f"run-{slug}"
    return f"{slug}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"


def _data(job: PipelineJob) -> str | None:
    """Return the remote path that the data is read from."""
    path = str(dict(job.runtime_config.parameter_values).get("data", ""))
    return path if path.startswith("gs://") else None


def _images(job: PipelineJob) -> Iterable[str]:
    """Return the images of the stages."""
    executors = dict(job.pipeline_spec).get("deploymentSpec", {}).get("executors", {})
    for executor in dict(executors).values():
        image = executor.get("container", {}).get("image")
        if image:
            yield str(image)
