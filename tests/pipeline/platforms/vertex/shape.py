"""The shape of a compiled spec, small enough to read; `python -m tests.pipeline.platforms.vertex.shape` writes it.

Values that change with every edit of the code or the configuration (fingerprints, TFX's own JSON) are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from pipeline import config as configs
from pipeline.platforms.vertex import compile
from pipeline.platforms.vertex.local_run.tasks import title
from tests.pipeline.platforms.vertex.spec_runner import executors, pipeline_spec

SHAPE = Path(__file__).with_name("shape.yaml")
EVERYTHING = (
    "vertex.project=my-project",
    "vertex.region=europe-west4",
    "vertex.bucket=my-bucket",
    "vertex.service_account=runner@my-project.iam.gserviceaccount.com",
    "vertex.network=projects/1/global/networks/default",
    "vertex.encryption_key=projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k",
    "vertex.labels.team=vision",
    "vertex.dataflow.max_workers=20",
    "vertex.dataflow.subnetwork=regions/europe-west4/subnetworks/default",
    "vertex.deploy.to=endpoint",
    "warm_start=true",
    "tuner.trials=8",
)


def compiled(*settings: str, preset: str = "cifar10") -> dict[str, Any]:
    config, _ = configs.load(preset, None, settings)
    return compile.spec(config)


def shape(job: dict[str, Any]) -> dict[str, Any]:
    """{"parameters": {name: type}, "tasks": {name: {"image", "machine", "executor", "after", "reads", …}}}"""
    spec, deployment = pipeline_spec(job), executors(job)
    inputs = spec.root.input_definitions.parameters
    return {
        "name": spec.pipeline_info.name,
        "root": job["runtimeConfig"]["gcsOutputDirectory"],
        "parameters": {
            name: f"{pb.ParameterType.ParameterTypeEnum.Name(inputs[name].parameter_type)}, {default}"
            for name, default in sorted(job["runtimeConfig"]["parameterValues"].items())
        },
        "tasks": {name: _task(task, spec, deployment) for name, task in sorted(spec.root.dag.tasks.items())},
    }


def _task(task: pb.PipelineTaskSpec, spec: pb.PipelineSpec, deployment: pb.PipelineDeploymentConfig) -> dict[str, Any]:
    component = spec.components[task.component_ref.name]
    executor = deployment.executors[component.executor_label]
    result: dict[str, Any] = {}
    if executor.HasField("resolver"):
        queries = executor.resolver.output_artifact_queries
        result["finds"] = {key: query.filter for key, query in sorted(queries.items())}
    else:
        container, retry = executor.container, task.retry_policy
        result |= {
            "image": container.image,
            "machine": f"{container.resources.cpu_limit:g} cores, {container.resources.memory_limit:g} GB",
            "executor": container.args[list(container.args).index("--executor_class_path") + 1],
            "cached": task.caching_options.enable_cache,
            "runs again": f"{retry.max_retry_count} time, after {retry.backoff_duration.seconds} s"
            if task.HasField("retry_policy")
            else "",
        }
        if container.lifecycle.HasField("pre_cache_check"):
            result["driver"] = " ".join(container.lifecycle.pre_cache_check.command)
    result["reads"] = {
        key: f"{given.task_output_artifact.producer_task}.{given.task_output_artifact.output_artifact_key}"
        for key, given in sorted(task.inputs.artifacts.items())
    }
    result["waits for"] = sorted(task.dependent_tasks)
    result["writes"] = {
        key: title(output.artifact_type) for key, output in sorted(component.output_definitions.artifacts.items())
    }
    result["of the run"] = {
        key: given.component_input_parameter
        for key, given in sorted(task.inputs.parameters.items())
        if given.component_input_parameter
    }
    result["of the spec"] = sorted(
        key for key, given in task.inputs.parameters.items() if not given.component_input_parameter
    )
    return {key: value for key, value in result.items() if value not in ({}, [], "")}


if __name__ == "__main__":
    SHAPE.write_text(yaml.safe_dump(shape(compiled(*EVERYTHING)), sort_keys=False, width=120))
