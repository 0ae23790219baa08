"""A compiled spec in a file: the configuration that it was compiled with, and what may differ from that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from components.config import first_error
from components.errors import UserError
from pipeline.config import Config, flatten
from pipeline.platforms.vertex import parameters

# Settings of this machine alone: no spec depends on them.
LOCAL = ("run_dir", "artifacts_dir", "metadata.url")
CACHING = "vertex.caching"  # may be turned off for a run


def read_config(spec: Path, config: Config, explicit: dict[str, str], submitted: bool = True) -> Config:
    """Return the configuration of a job of this spec, which is the one that the spec was compiled with.

    Args:
      spec: the file.
      config: as the command line gives it.
      explicit: the keys of it that a file or an option sets, and which.
      submitted: whether the job is sent, and so must name a project.

    Raises:
      UserError: the file is no spec that can be submitted, or a setting differs from what is compiled into it.
    """
    job = read(spec)
    compiled = _config(spec, job)
    if submitted and compiled.vertex.project is None:
        raise UserError(f"{spec} was compiled without vertex.project: compile it again, --set vertex.project=NAME")
    mine, theirs = (flatten(of.model_dump(mode="json", exclude={"metadata"})) for of in (config, compiled))
    run = parameters.of(compiled)
    for key, origin in explicit.items():
        if key in LOCAL or mine.get(key) == theirs.get(key):
            continue
        if key == CACHING and not config.vertex.caching:
            continue
        name = "data" if key == "data.source" else key.rpartition(".")[2]
        advice = f"give --param {name}={mine[key]}" if name in run else "compile it again"
        raise UserError(
            f"{key} = {mine.get(key)!r} ({origin}) has no effect on {spec}, which was compiled with "
            f"{theirs.get(key)!r}: {advice}, or leave out --spec"
        )
    for name, value in job["runtimeConfig"].get("parameterValues", {}).items():
        if name in run:
            try:
                parameters.check(compiled, run[name], value)
            except ValidationError as error:
                raise UserError(f"{spec}: the parameter {name} = {value}: {first_error(error)}") from None
    caching = compiled.vertex.caching and config.vertex.caching
    return compiled.model_copy(update={"vertex": compiled.vertex.model_copy(update={"caching": caching})})


def read(spec: Path) -> dict[str, Any]:
    """Return the compiled job in a file.

    Raises:
      UserError: it holds none.
    """
    from google.protobuf.json_format import ParseError

    try:
        job: dict[str, Any] = json.loads(spec.read_text(encoding="utf-8"))
        _check(job)
    except OSError as error:
        raise UserError(f"cannot read the spec {spec}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ParseError):
        raise UserError(f"{spec} is not a compiled pipeline; `vertex compile --output {spec}` writes one") from None
    return job


def _check(job: dict[str, Any]) -> None:
    """Look at all that is read of a job, by KFP's own messages. One of many exceptions if it is not there."""
    from google.protobuf.json_format import ParseDict
    from kfp.pipeline_spec import pipeline_spec_pb2 as pb

    pipeline, runtime = job["pipelineSpec"], job["runtimeConfig"]
    spec = ParseDict(pipeline, pb.PipelineSpec())
    executors = ParseDict(pipeline["deploymentSpec"], pb.PipelineDeploymentConfig()).executors
    for name, task in spec.root.dag.tasks.items():
        component = task.component_ref.name
        if component not in spec.components or spec.components[component].executor_label not in executors:
            raise ValueError(f"the task {name} has no executor")
    runtime["gcsOutputDirectory"].startswith("gs://"), runtime["parameterValues"].items()


def _config(spec: Path, job: dict[str, Any]) -> Config:
    """Return the configuration that the stage Report shows."""
    try:
        inputs = job["pipelineSpec"]["root"]["dag"]["tasks"]["Report"]["inputs"]
        text = inputs["parameters"]["config"]["runtimeValue"]["constant"]
        return Config.model_validate(yaml.safe_load(text))
    except (KeyError, TypeError, AttributeError, yaml.YAMLError, ValidationError):
        raise UserError(f"{spec} was compiled by another version of image-pipeline: compile it again") from None
