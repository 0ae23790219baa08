"""The tasks of a compiled spec, and what each container is told of its inputs and outputs."""

from __future__ import annotations

import graphlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from components.errors import UserError
from pipeline import ROOT
from pipeline.platforms.vertex.local_run.artifacts import Artifact, Store
from pipeline.platforms.vertex.names import IMAGE_ROOT

_ARTIFACTS = "projects/1/locations/here/metadataStores/default/artifacts"
OUTPUT_FILE = "executor_output.json"
Made = dict[str, dict[str, Artifact]]  # of each task that ran, its outputs by key


class Tasks:
    """The tasks of a spec whose bucket is a folder, and whose image is this project."""

    def __init__(self, job: dict[str, Any], bucket: Path) -> None:
        """Read a compiled job.

        Raises:
          UserError: it is not what `vertex compile` writes.
        """
        text = json.dumps(job)
        try:
            root = str(job["runtimeConfig"]["gcsOutputDirectory"]).split("/")
            text = text.replace(f"gs://{root[2]}", str(bucket)).replace(f"{IMAGE_ROOT}/", f"{ROOT}/")
            local = json.loads(text)
            self._spec = json_format.ParseDict(local["pipelineSpec"], pb.PipelineSpec())
            deployment = local["pipelineSpec"]["deploymentSpec"]
            self._executors = json_format.ParseDict(deployment, pb.PipelineDeploymentConfig()).executors
            self.parameters: dict[str, Any] = dict(local["runtimeConfig"].get("parameterValues", {}))
        except (KeyError, IndexError, TypeError, json_format.ParseError) as error:
            raise UserError(f"the spec is not what `vertex compile` writes: {' '.join(str(error).split())}") from None
        self.name = str(self._spec.pipeline_info.name)

    def order(self) -> list[str]:
        """Return the names of all tasks, each after those that it needs; else in the order of their names."""
        tasks = self._spec.root.dag.tasks
        graph = {name: {*task.dependent_tasks, *_producers(task)} for name, task in tasks.items()}
        sorter = graphlib.TopologicalSorter({name: graph[name] for name in sorted(graph)})
        return list(sorter.static_order())

    def query(self, name: str) -> Mapping[str, str]:
        """Return the filter of each output of a resolver; nothing for a task with a container."""
        queries = self._executor(name).resolver.output_artifact_queries
        return {key: query.filter for key, query in queries.items()}

    def inputs(self, name: str, made: Made) -> dict[str, list[Artifact]]:
        """Return the artifacts that a task reads, by key; none where the task that makes them found none."""
        found = {}
        for key, given in self._spec.root.dag.tasks[name].inputs.artifacts.items():
            producer = given.task_output_artifact
            artifact = made.get(producer.producer_task, {}).get(producer.output_artifact_key)
            found[key] = [artifact] if artifact else []
        return found

    def resolve(self, name: str, made: Made, store: Store) -> dict[str, Artifact]:
        """Answer the queries of a resolver; an output for which there is no artifact is left out."""
        inputs = {key: artifacts[0] for key, artifacts in self.inputs(name, made).items() if artifacts}
        answers = {key: store.find(query, inputs) for key, query in self.query(name).items()}
        kept = ("name", "uri", "metadata")
        return {key: {part: found[part] for part in kept if part in found} for key, found in answers.items() if found}

    def invocation(self, name: str, made: Made, folder: Path) -> dict[str, Any]:
        """Return what takes the place of `{{$}}` in the arguments of a task's container.

        Args:
          name: of the task.
          made: the outputs of the tasks before.
          folder: for its outputs.
        """
        task, component = self._spec.root.dag.tasks[name], self._component(name)
        read = {
            key: {"artifacts": [artifact | {"type": _type(component.input_definitions, key)} for artifact in artifacts]}
            for key, artifacts in self.inputs(name, made).items()
        }
        written = {
            key: {
                "artifacts": [
                    {
                        "name": f"{_ARTIFACTS}/{folder.parent.name}-{name}-{key}",
                        "uri": str(folder / key),
                        "type": _type(component.output_definitions, key),
                        "metadata": json_format.MessageToDict(output.metadata),
                    }
                ]
            }
            for key, output in component.output_definitions.artifacts.items()
        }
        values = {key: self._value(given) for key, given in task.inputs.parameters.items()}
        return {
            "inputs": {"parameterValues": values, "artifacts": read},
            "outputs": {"artifacts": written, "outputFile": str(folder / OUTPUT_FILE)},
        }

    def driver(self, name: str, invocation: dict[str, Any]) -> list[str]:
        """Return the command that runs before a task's container; empty if there is none."""
        lifecycle = self._executor(name).container.lifecycle
        check = lifecycle.pre_cache_check
        return [*check.command, *_filled(check.args, invocation)] if lifecycle.HasField("pre_cache_check") else []

    def command(self, name: str, invocation: dict[str, Any]) -> list[str]:
        """Return the command of a task's container."""
        container = self._executor(name).container
        return [*container.command, *_filled(container.args, invocation)]

    def title(self, name: str, key: str) -> str:
        """Return the title of the type of a task's output, as `tfx.Model`."""
        return title(self._component(name).output_definitions.artifacts[key].artifact_type)

    def _component(self, name: str) -> Any:
        return self._spec.components[self._spec.root.dag.tasks[name].component_ref.name]

    def _executor(self, name: str) -> Any:
        return self._executors[self._component(name).executor_label]

    def _value(self, given: Any) -> Any:
        if given.component_input_parameter:
            return self.parameters[given.component_input_parameter]
        return json_format.MessageToDict(given.runtime_value.constant)


def title(artifact_type: pb.ArtifactTypeSchema) -> str:
    """Return the title of a type: of TFX's own in a schema, of those that Vertex AI brings alone."""
    return str(artifact_type.schema_title or yaml.safe_load(artifact_type.instance_schema)["title"])


def _type(definitions: Any, key: str) -> dict[str, Any]:
    described: dict[str, Any] = json_format.MessageToDict(definitions.artifacts[key].artifact_type)
    return described


def take_outputs(invocation: dict[str, Any], folder: Path) -> None:
    """Add the outputs of a task's driver, in `folder`, to the invocation of the task's container."""
    written = _written(folder)
    invocation["inputs"]["parameterValues"] |= written.get("parameterValues", {})
    for key, artifacts in written["artifacts"].items():
        invocation["outputs"]["artifacts"][key]["artifacts"][0] |= artifacts["artifacts"][0]


def outputs(folder: Path) -> dict[str, Artifact]:
    """Return the artifacts that a task's container wrote into `folder`, by key."""
    return {key: made["artifacts"][0] for key, made in _written(folder).get("artifacts", {}).items()}


def _written(folder: Path) -> dict[str, Any]:
    written: dict[str, Any] = json.loads((folder / OUTPUT_FILE).read_text(encoding="utf-8"))
    return written


def _producers(task: Any) -> Iterator[str]:
    for given in task.inputs.artifacts.values():
        yield given.task_output_artifact.producer_task


def _filled(arguments: Iterable[str], invocation: dict[str, Any]) -> list[str]:
    return [argument.replace("{{$}}", json.dumps(invocation)) for argument in arguments]
