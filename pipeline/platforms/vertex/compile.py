"""Compilation of the pipeline for Vertex AI Pipelines: KubeflowV2DagRunner writes the spec, nothing is sent."""

from __future__ import annotations

import hashlib
import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any

from components import files
from components.errors import UserError
from components.imports import gc_paused
from components.versions import COMPILED_WITH
from pipeline.config import Config
from pipeline.output import redirect_output
from pipeline.platforms.vertex import names, parameters, resources
from pipeline.tables import print_table

WAITING = ("Trainer", "Tuner")  # stages whose container only waits for the custom job that it starts
# Stages that run a second time if they fail, for their machine may be lost. Not a training: it restarts by itself, and
# costs. Not DataGate: its failure is its verdict. Not Pusher: it may have pushed before it failed.
AGAIN = (
    "ExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "Transform",
    "Evaluator",
    "ServingCheck",
    "Report",
)


@gc_paused()
def spec(config: Config) -> dict[str, Any]:
    """Return the PipelineJob, as JSON, that KubeflowV2DagRunner compiles from the chain.

    Every parameter of a run has the configured value where a run does not give another. Stages carry the fingerprint
    of their code, as in a local run: Vertex AI's cache key covers a stage's parameters and the name of its image, but
    not what is in the image.

    Raises:
      UserError: something in the configuration exists on this machine only.
    """
    resources.check_region(config.vertex.region)
    values = parameters.of(config)
    names.check_weights(config)
    names.check_trainer_image(config)
    from tfx.dsl.components.base.base_component import BaseComponent
    from tfx.orchestration.data_types import RuntimeParameter
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as kubeflow

    from components.example_gen import sources
    from pipeline import fingerprint
    from pipeline.platforms.vertex.executors import container, example_gen_driver
    from pipeline.platforms.vertex.platform import VertexPlatform
    from pipeline.stages import create_pipeline, read_schema

    platform = VertexPlatform(config)
    pipeline = create_pipeline(config, sources.locate(values["data"].default, ""), platform)
    stages = {node.id: node for node in pipeline.components}
    for name, (stage, key, default, *_) in values.items():
        parameter = RuntimeParameter(name, type(default), default)
        stages[stage].exec_properties[key] = parameter
        if stage == "Trainer" and "Tuner" in stages:
            stages["Tuner"].exec_properties[key] = parameter
        stages["Report"].exec_properties[name] = parameter  # which shows them
    curated = read_schema(config)
    contents = {"SchemaGen": files.read_bytes(curated)} if curated else {}
    for name, content in contents.items():
        stages[name].exec_properties[container.SCHEMA_SHA256] = hashlib.sha256(content).hexdigest()
    drivers = {"ExampleGen": [example_gen_driver.__name__]}
    for name, node in stages.items():
        if isinstance(node, BaseComponent):
            more_code = [container.__name__, *drivers.get(name, [])]
            code = fingerprint.code_of_stage(node, more_code)
            node.exec_properties["code_fingerprint"] = fingerprint.of_stage(node, more_code, contents.get(name, b""))
            node.exec_properties[fingerprint.CODE] = code
    # Schema 2.1: in 2.0 TFX's executor does not see the results of ExampleGen's driver.
    runner = kubeflow.KubeflowV2DagRunner(
        kubeflow.KubeflowV2DagRunnerConfig(default_image=names.image(config), use_pipeline_spec_2_1=True)
    )
    defaults = {name: value.default for name, value in values.items()}
    job = runner.run(pipeline, parameter_values=defaults, write_out=False)
    for name, executor in job["pipelineSpec"]["deploymentSpec"]["executors"].items():
        if runs := executor.get("container"):
            waits = name.removesuffix("_executor") in WAITING
            runs["resources"] = {
                "cpuLimit": 1.0 if waits else float(config.vertex.cpu),
                "memoryLimit": 4.0 if waits else float(config.vertex.memory_gb),
            }
            runs["command"] = ["python", "-m", container.__name__]
            runs["args"][:0] = ["--pipeline", platform.pipeline_name]
        for query in executor.get("resolver", {}).get("outputArtifactQueries", {}).values():
            if "metadata['current_model_id']" not in query["filter"]:  # the model of a blessing that was found
                query["filter"] += f' AND metadata.{container.PIPELINE}.string_value="{platform.pipeline_name}"'
        if name == "ExampleGen_executor":
            driver = executor["container"]["lifecycle"]["preCacheCheck"]
            driver["command"] = ["python", "-m", example_gen_driver.__name__]
            driver["args"] += [f"--{COMPILED_WITH}", metadata.version("tfx")]
    outputs = job["pipelineSpec"]["components"]["Report"]["outputDefinitions"]["artifacts"]
    outputs["report"]["artifactType"] = {"schemaTitle": container.METRICS, "schemaVersion": "0.0.1"}
    for name, task in job["pipelineSpec"]["root"]["dag"]["tasks"].items():
        if name in AGAIN:
            task["retryPolicy"] = {"maxRetryCount": 1, "backoffDuration": "60s"}
    return job


def run(config: Config, output: Path) -> None:
    """Write the spec of the pipeline to `output`, JSON, and print what is in it."""
    with redirect_output(os.devnull):
        job = spec(config)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(output, json.dumps(job, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}") from None
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    print(f"{output}: {len(tasks)} tasks, image {names.image(config)}")
    print_table((name, str(parameter.default)) for name, parameter in parameters.of(config).items())
    if config.vertex.project is None:
        print("vertex.project is not set: the spec names PROJECT in its place and is for reading only")
