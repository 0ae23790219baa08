"""ImageExampleGen's driver on Vertex AI Pipelines, which runs before the cache is looked up: `python -m` this module.

TFX has one for Vertex AI, but it knows neither a fingerprint of content nor sources other than patterns of files.
The path of the data is a run parameter: the driver inspects it when the stage starts, and tells the executor.
"""

from __future__ import annotations

import argparse
import os
import sys

from absl import logging
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.components.example_gen import driver as tfx_driver
from tfx.components.example_gen import utils
from tfx.dsl.io import fileio
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as entrypoint
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.errors import UserError
from components.example_gen import settings, sources
from components.example_gen.driver import InputProcessor
from components.versions import COMPILED_WITH, UNSAID, check_image
from pipeline import fingerprint


def run(executor_input: pipeline_spec_pb2.ExecutorInput, spec: pipeline_spec_pb2.ComponentInputsSpec) -> None:
    """Write what the stage reads, with its span and fingerprint, where Vertex AI and the executor look for it.

    Raises:
      UserError: the data cannot be used, or the image has other code than the machine that compiled the pipeline.
    """
    properties = entrypoint.parse_execution_properties(
        executor_input.inputs.parameter_values, executor_input.inputs.parameters, spec
    )
    fingerprint.check_code(properties.get(fingerprint.CODE, ""))
    source = sources.locate(properties[standard_component_specs.INPUT_BASE_KEY], cache_dir="")
    if source.published or source.tfds:
        raise UserError("data: nothing is downloaded on Vertex AI. Copy it to a bucket, and give data=gs://…")
    configured = settings.unpack(properties[standard_component_specs.CUSTOM_CONFIG_KEY])
    split = example_gen_pb2.Input.Split(name="pictures", pattern=source.pattern)
    configured = configured._replace(format=source.format)
    processor = InputProcessor(source.input_base, [split], None, configured)
    span, version = processor.resolve_span_and_version()
    content = processor.get_input_fingerprint(span, version)
    split.pattern = processor.get_pattern_for_span_version(split.pattern, span, version)
    logging.info("%s: %s, span %s, %s", source.path, source.format, span, content)

    output = pipeline_spec_pb2.ExecutorOutput()
    texts = {
        standard_component_specs.INPUT_BASE_KEY: source.input_base,
        standard_component_specs.INPUT_CONFIG_KEY: proto_utils.proto_to_json(example_gen_pb2.Input(splits=[split])),
        standard_component_specs.CUSTOM_CONFIG_KEY: proto_utils.proto_to_json(settings.pack(configured)),
        utils.FINGERPRINT_PROPERTY_NAME: content,
    }
    for name, text in texts.items():
        output.parameter_values[name].string_value = text
    numbers = {utils.SPAN_PROPERTY_NAME: span, utils.VERSION_PROPERTY_NAME: version}
    for name, number in numbers.items():
        if number is not None:
            output.parameter_values[name].number_value = number
    names: dict[int, str] = {}
    key = standard_component_specs.EXAMPLES_KEY
    examples = artifact_utils.get_single_instance(
        entrypoint.parse_raw_artifact_dict(executor_input.outputs.artifacts, names)[key]
    )
    tfx_driver.update_output_artifact({**texts, **numbers}, examples.mlmd_artifact)
    output.artifacts[key].artifacts.add().CopyFrom(entrypoint.to_runtime_artifact(examples, names))
    fileio.makedirs(os.path.dirname(executor_input.outputs.output_file))
    with fileio.open(executor_input.outputs.output_file, "wb") as file:
        file.write(json_format.MessageToJson(output, sort_keys=True).encode())


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", required=True)
    parser.add_argument(f"--{COMPILED_WITH}", default=UNSAID)
    args, _ = parser.parse_known_args(argv)  # Beam's are given too
    check_image(getattr(args, COMPILED_WITH))
    logging.set_verbosity(logging.INFO)
    run(
        json_format.Parse(
            args.json_serialized_invocation_args, pipeline_spec_pb2.ExecutorInput(), ignore_unknown_fields=True
        ),
        json_format.Parse(
            args.json_serialized_inputs_spec_args, pipeline_spec_pb2.ComponentInputsSpec(), ignore_unknown_fields=True
        ),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
