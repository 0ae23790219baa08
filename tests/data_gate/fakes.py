"""A stage that hands a folder of examples to a pipeline, in the place of ExampleGen."""

# No `from __future__ import annotations`: TFX reads the annotations of a component function as objects.
import shutil

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.contracts import features as f


@component
def Source(folder: Parameter[str], examples: OutputArtifact[standard_artifacts.Examples]) -> None:
    shutil.copytree(folder, examples.uri, dirs_exist_ok=True)
    examples.splits = list(f.SPLITS)
    examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    examples.set_string_custom_property("file_format", "tfrecords_gzip")
