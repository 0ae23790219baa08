"""Runs a compiled spec here, a task at a time, as Vertex AI Pipelines does: by the commands of its containers.

It reads the spec as `vertex run-local` does, which starts a process for each command.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from google.cloud import aiplatform_v1
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb
from tfx.extensions.google_cloud_ai_platform import training_clients
from tfx.scripts import run_executor

from pipeline.platforms.vertex import labels
from pipeline.platforms.vertex.executors import container as entry
from pipeline.platforms.vertex.executors import example_gen_driver
from pipeline.platforms.vertex.local_run.artifacts import Store
from pipeline.platforms.vertex.local_run.tasks import Made, Tasks, outputs, take_outputs

NUMBER, JOB = "186556260430", "digits-20261122-173308-78f4a3"
BILLING = {"vertex-ai-pipelines-run-billing-id": "8717761889699889152"}  # as Vertex AI names it


def pipeline_spec(job: dict[str, Any]) -> pb.PipelineSpec:
    """The spec as KFP's own proto; it must know every field."""
    return json_format.ParseDict(job["pipelineSpec"], pb.PipelineSpec())


def executors(job: dict[str, Any]) -> pb.PipelineDeploymentConfig:
    return json_format.ParseDict(job["pipelineSpec"]["deploymentSpec"], pb.PipelineDeploymentConfig())


class Cloud:
    """One run, whose tasks are chosen by the test, in the process of the test.

    Attributes:
      tasks: of the spec.
      made: of each task that ran its outputs, by key.
      jobs: the custom jobs that were asked for.
    """

    def __init__(self, job: dict[str, Any], root: Path, patch: pytest.MonkeyPatch, **parameters: Any) -> None:
        self.tasks, self.root = Tasks(job, root / "bucket"), root
        self.tasks.parameters |= parameters
        for name, declared in pipeline_spec(job).root.input_definitions.parameters.items():
            is_text = declared.parameter_type == pb.ParameterType.STRING
            assert isinstance(self.tasks.parameters[name], str) == is_text
        self.made: Made = {}
        self.jobs: list[aiplatform_v1.CustomJob] = []
        patch.setenv(labels.VARIABLE, json.dumps(BILLING))
        patch.setattr(training_clients.gapic, "JobServiceClient", lambda client_options: _Jobs(self.jobs))

    def run(self, *names: str, found: Made | None = None) -> None:
        """Run the tasks, those of resolvers excepted: `found` has their outputs, by task and key."""
        self.made |= found or {}
        for name in names:
            self._run(name)

    def _run(self, name: str) -> None:
        folder = self.root / "bucket" / NUMBER / JOB / f"{name}_-5950113757618241536"
        invocation = self.tasks.invocation(name, self.made, folder)
        if driver := self.tasks.driver(name, invocation):
            assert driver[:3] == ["python", "-m", example_gen_driver.__name__]
            example_gen_driver.main(driver[3:])
            take_outputs(invocation, folder)
        command = self.tasks.command(name, invocation)
        assert command[:3] == ["python", "-m", entry.__name__]
        entry.run(entry.parse(["", *command[3:]]))
        self.made[name] = outputs(folder)

    def resolve(self, region: Store) -> None:
        """Run the tasks of resolvers on the artifacts of a region."""
        for name in self.tasks.order():
            if self.tasks.query(name):
                self.made[name] = self.tasks.resolve(name, self.made, region)

    def region(self) -> Store:
        """Return a region in which this run alone has run."""
        store = Store(self.root / "artifacts.jsonl")
        for name, artifacts in self.made.items():
            for key, artifact in artifacts.items():
                store.add(artifact, self.tasks.title(name, key))
        return store


class _Jobs:
    """Vertex AI's jobs: the command of a custom job's first pool runs here and now."""

    def __init__(self, jobs: list[aiplatform_v1.CustomJob]) -> None:
        self._jobs = jobs

    def list_custom_jobs(self, request: aiplatform_v1.ListCustomJobsRequest) -> list[aiplatform_v1.CustomJob]:
        wanted = dict(re.findall(r'labels\.(\w+)="([^"]+)"', request.filter))
        return [job for job in self._jobs if wanted.items() <= dict(job.labels).items()]

    def create_custom_job(self, parent: str, custom_job: dict[str, Any]) -> aiplatform_v1.CustomJob:
        job = aiplatform_v1.CustomJob(custom_job)  # refuses fields that there are not
        self._jobs.append(job)
        job.name = f"{parent}/customJobs/{len(self._jobs)}"
        command = list(job.job_spec.worker_pool_specs[0].container_spec.command)
        assert command[:3] == ["python", "-m", run_executor.__name__]
        run_executor.main(run_executor.parse_flags(command[3:]))
        job.state = aiplatform_v1.JobState.JOB_STATE_SUCCEEDED
        return job

    def get_custom_job(self, name: str, retry: Any) -> aiplatform_v1.CustomJob:
        (job,) = (job for job in self._jobs if job.name == name)
        return job
