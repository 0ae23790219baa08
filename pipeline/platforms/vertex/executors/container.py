"""What every container of a stage starts, `python -m` this module: it looks at the inputs, then runs TFX's own entry.

A query for an artifact on Vertex AI searches the region, in which other pipelines run. So each output is marked with
its pipeline, queries ask for the mark (compile.py), and what was found nevertheless of another one is left out here.
"""

from __future__ import annotations

import hashlib
import os
from argparse import Namespace
from collections.abc import Sequence

from absl import app, logging
from absl.flags import argparse_flags
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.io import fileio
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor
from tfx.types.experimental.simple_artifacts import Metrics

from components import files
from components.contracts import counts, model
from components.errors import UserError
from pipeline import fingerprint
from pipeline.platforms.vertex.executors import attempt

METRICS = "system.Metrics"  # the type of which Vertex AI shows the numbers: of the report (compile.py)
PIPELINE = "pipeline"  # key of the mark in the metadata of an artifact
SCHEMA_SHA256 = "schema_sha256"  # execution property of a SchemaGen that imports a curated schema
MODELS = ("baseline_model", "base_model")  # inputs that a resolver finds: models,
FOUND = ("previous", *MODELS)  # and the findings of earlier data


def run(arguments: tuple[Namespace, list[str]]) -> None:
    """Run the executor of a stage.

    Raises:
      UserError: the image has other code, or another schema, than the machine that compiled the pipeline.
    """
    flags, beam_args = arguments
    invocation = pipeline_spec_pb2.ExecutorInput()
    json_format.Parse(flags.json_serialized_invocation_args, invocation, ignore_unknown_fields=True)
    parameters = {key: value.string_value for key, value in invocation.inputs.parameter_values.items()}
    fingerprint.check_code(parameters.get(fingerprint.CODE, ""))
    if schema := parameters.get("schema_file"):
        check_schema(schema, parameters[SCHEMA_SHA256])
    # TFX knows its own types alone.
    compiler_utils.TITLE_TO_CLASS_PATH[METRICS] = f"{Metrics.__module__}.{Metrics.__qualname__}"
    beam_args = attempt.begin(invocation.outputs, beam_args)
    mark_and_select(invocation, flags.pipeline)
    flags.json_serialized_invocation_args = json_format.MessageToJson(invocation)
    kubeflow_v2_run_executor.main((flags, beam_args))


def check_schema(path: str, sha256: str) -> None:
    """Raise UserError if the curated schema is not the one that the pipeline was compiled with."""
    if hashlib.sha256(files.read_bytes(path)).hexdigest() != sha256:
        raise UserError(
            f"the schema {path} is not the one that the pipeline was compiled with: rebuild the image, or compile again"
        )


def mark_and_select(invocation: pipeline_spec_pb2.ExecutorInput, pipeline: str) -> None:
    """Mark the outputs, and remove what was found that is of another pipeline, or a model of other classes."""
    for made in invocation.outputs.artifacts.values():
        for artifact in made.artifacts:
            artifact.metadata.update({PIPELINE: pipeline})
    inputs = invocation.inputs.artifacts
    for key in FOUND:
        if key not in inputs or not inputs[key].artifacts:
            continue
        artifact = inputs[key].artifacts[0]
        owner = dict(artifact.metadata).get(PIPELINE)
        reason = "" if owner == pipeline else f"it is of the pipeline {owner!r}, and this is {pipeline!r}"
        if key in MODELS and not reason:
            reason = _misfit(artifact.uri, inputs["examples"].artifacts[0].uri)
        if reason:
            logging.warning("%s %s is left out: %s", key, artifact.uri, reason)
            inputs[key].ClearField("artifacts")


def _misfit(found: str, examples: str) -> str:
    """Return why the model cannot stand beside one of these examples; empty if it can."""
    exported = os.path.join(found, model.EXPORTED)
    if not fileio.exists(os.path.join(exported, model.SAVED_MODEL_FILE)):
        return "its files are gone"
    theirs, ours = model.class_names(exported), counts.read(examples).class_names
    return "" if theirs == ours else f"it has {len(theirs)} classes, and they are not the {len(ours)} of the data"


def parse(argv: Sequence[str]) -> tuple[Namespace, list[str]]:
    """Return the arguments of this module and TFX's, and those of Beam."""
    parser = argparse_flags.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args")
    arguments: tuple[Namespace, list[str]] = parser.parse_known_args(argv[1:])
    return arguments


if __name__ == "__main__":
    app.run(run, flags_parser=parse)
