"""Runs a compiled spec here, a task at a time, as Vertex AI Pipelines does: by the commands of its containers.

What is not real: there is no container, the bucket is a folder, and resolvers search the artifacts of the runs here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import aiplatform_v1
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb
from tfx.extensions.google_cloud_ai_platform import training_clients
from tfx.scripts import run_executor

from pipeline import ROOT
from pipeline.platforms.vertex import labels
from pipeline.platforms.vertex.executors import container as entry
from pipeline.platforms.vertex.executors import example_gen_driver
from pipeline.platforms.vertex.names import IMAGE_ROOT

BUCKET = "gs://PROJECT-pipelines"
NUMBER, JOB = "186556260430", "digits-20261122-173308-78f4a3"
BILLING = {"vertex-ai-pipelines-run-billing-id": "8717761889699889152"}  # as Vertex AI names it


def pipeline_spec(job: dict[str, Any]) -> pb.PipelineSpec:
    """The spec as KFP's own proto; it must know every field."""
    return json_format.ParseDict(job["pipelineSpec"], pb.PipelineSpec())


def executors(job: dict[str, Any]) -> pb.PipelineDeploymentConfig:
    return json_format.ParseDict(job["pipelineSpec"]["deploymentSpec"], pb.PipelineDeploymentConfig())


class Cloud:
    """One run.

    Attributes:
      made: of each task that ran its outputs, by key.
      jobs: the custom jobs that were asked for.
    """

    def __init__(self, job: dict[str, Any], root: Path, patch: pytest.MonkeyPatch, **parameters: Any) -> None:
        # The bucket, and the file system of the image, are folders here.
        job = json.loads(json.dumps(job).replace(BUCKET, str(root / "bucket")).replace(IMAGE_ROOT + "/", f"{ROOT}/"))
        self.spec, self.executors, self.root = pipeline_spec(job), executors(job), root
        self.parameters = job["runtimeConfig"]["parameterValues"] | parameters
        self.made: dict[str, dict[str, Any]] = {}
        self.jobs: list[aiplatform_v1.CustomJob] = []
        patch.setenv(labels.VARIABLE, json.dumps(BILLING))
        patch.setattr(training_clients.gapic, "JobServiceClient", lambda client_options: _Jobs(self.jobs))

    def run(self, *names: str, found: dict[str, dict[str, Any]] | None = None) -> None:
        """Run the tasks, those of resolvers excepted: `found` has their outputs, by task and key."""
        self.made |= found or {}
        for name in names:
            self._run(name)

    def _run(self, name: str) -> None:
        task = self.spec.root.dag.tasks[name]
        component = self.spec.components[task.component_ref.name]
        container = self.executors.executors[component.executor_label].container
        folder = self.root / "bucket" / NUMBER / JOB / f"{name}_-5950113757618241536"
        invocation: dict[str, Any] = {
            "inputs": {
                "parameterValues": {key: self._value(given) for key, given in task.inputs.parameters.items()},
                "artifacts": {
                    key: {"artifacts": self._artifacts(given.task_output_artifact, component.input_definitions, key)}
                    for key, given in task.inputs.artifacts.items()
                },
            },
            "outputs": {
                "artifacts": {
                    key: {"artifacts": [self._output(folder, key, output)]}
                    for key, output in component.output_definitions.artifacts.items()
                },
                "outputFile": str(folder / "executor_output.json"),
            },
        }
        if container.lifecycle.HasField("pre_cache_check"):
            driver = container.lifecycle.pre_cache_check
            assert list(driver.command) == ["python", "-m", example_gen_driver.__name__]
            example_gen_driver.main(_filled(driver.args, invocation))
            for key, artifacts in self._written(folder)["artifacts"].items():
                invocation["outputs"]["artifacts"][key]["artifacts"][0] |= artifacts["artifacts"][0]
        assert list(container.command) == ["python", "-m", entry.__name__]
        entry.run(entry.parse(["", *_filled(container.args, invocation)]))
        self.made[name] = {
            key: made["artifacts"][0] for key, made in self._written(folder).get("artifacts", {}).items()
        }

    def resolve(self, region: Sequence[Cloud]) -> None:
        """Run the tasks of resolvers on all that the runs of a region made, the latest run last."""
        for name, task in sorted(self.spec.root.dag.tasks.items()):  # that of a blessing before that of its model
            component = self.spec.components[task.component_ref.name]
            executor = self.executors.executors[component.executor_label]
            if not executor.HasField("resolver"):
                continue
            read = {
                key: self.made[given.task_output_artifact.producer_task].get(
                    given.task_output_artifact.output_artifact_key
                )
                for key, given in task.inputs.artifacts.items()
            }
            self.made[name] = {}
            for key, query in executor.resolver.output_artifact_queries.items():
                if None not in read.values() and (artifact := _latest(region, _with_inputs(query.filter, read))):
                    self.made[name][key] = artifact

    def _written(self, folder: Path) -> dict[str, Any]:
        written: dict[str, Any] = json.loads((folder / "executor_output.json").read_text())
        return written

    def _value(self, given: Any) -> Any:
        if given.component_input_parameter:
            declared = self.spec.root.input_definitions.parameters[given.component_input_parameter].parameter_type
            value = self.parameters[given.component_input_parameter]
            assert isinstance(value, str) == (declared == pb.ParameterType.STRING)
            return value
        return json_format.MessageToDict(given.runtime_value.constant)

    def _artifacts(self, producer: Any, definitions: Any, key: str) -> list[dict[str, Any]]:
        made = self.made[producer.producer_task].get(producer.output_artifact_key)
        schema = definitions.artifacts[key].artifact_type.instance_schema
        return [{**made, "type": {"instanceSchema": schema}}] if made else []

    def _output(self, folder: Path, key: str, output: Any) -> dict[str, Any]:
        return {
            "name": f"projects/1/locations/x/metadataStores/default/artifacts/{folder.name}-{key}",
            "uri": str(folder / key),
            "type": {"instanceSchema": output.artifact_type.instance_schema},
            "metadata": json_format.MessageToDict(output.metadata),
        }


def _filled(args: Any, invocation: dict[str, Any]) -> list[str]:
    return [arg.replace("{{$}}", json.dumps(invocation)) for arg in args]


def _with_inputs(query: str, read: dict[str, Any]) -> str:
    """The filter with what its placeholders stand for."""
    placeholder = r"\{\{\$\.inputs\.artifacts\['(\w+)'\]\.metadata\['(\w+)'\]\}\}"
    return re.sub(placeholder, lambda match: str(read[match[1]]["metadata"][match[2]]), query)


def _latest(region: Sequence[Cloud], query: str) -> dict[str, Any] | None:
    """The artifact that the filter finds: in the grammar of Vertex ML Metadata, as far as the spec uses it."""
    latest = None
    for run in region:
        for stage, outputs in run.made.items():
            component = run.spec.components[run.spec.root.dag.tasks[stage].component_ref.name]
            for key, artifact in outputs.items():
                schema = component.output_definitions.artifacts[key].artifact_type.instance_schema
                facts = {"schema_title": title(schema), "state": "LIVE", "name": artifact["name"]}
                for name, value in artifact.get("metadata", {}).items():
                    if isinstance(value, str):
                        facts[f"metadata.{name}.string_value"] = value
                    elif isinstance(value, (int, float)):
                        facts[f"metadata.{name}.number_value"] = f"{value:g}"
                wanted = (part.partition("=") for part in query.split(" AND "))
                if all(facts.get(name) == value.strip('"') for name, _, value in wanted):
                    latest = artifact
    return latest


def title(schema: str) -> str:
    """Of an artifact's type."""
    return yaml.safe_load(schema)["title"]


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
