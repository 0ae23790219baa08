"""Runs the real Transform component, as the pipeline calls it, on an Examples artifact."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components import Transform as TransformComponent
from tfx.proto import transform_pb2
from tfx.types import channel_utils, standard_artifacts

from components.contracts import features as f
from components.transform.config import Transform
from tests.factories import beam_executor, examples_artifact


def schema_artifact(folder: Path) -> standard_artifacts.Schema:
    """The schema that TFDV infers of the data contract: every feature present, once."""
    kinds = {
        schema_pb2.BYTES: (f.IMAGE, f.CLASS_NAME, f.SOURCE, f.PIXELS_SHA256),
        schema_pb2.INT: (f.LABEL, f.HEIGHT, f.WIDTH, f.CHANNELS, f.NUM_BYTES),
        schema_pb2.FLOAT: (f.BRIGHTNESS, f.CONTRAST, f.SHARPNESS, f.COLOURFULNESS),
    }
    schema = schema_pb2.Schema()
    for kind, names in kinds.items():
        for name in names:
            feature = schema.feature.add(name=name, type=kind)
            feature.presence.min_count, feature.presence.min_fraction = 1, 1
            feature.shape.dim.add(size=1)
    folder.mkdir(parents=True)
    (folder / "schema.pbtxt").write_text(text_format.MessageToString(schema))
    artifact = standard_artifacts.Schema()
    artifact.uri = str(folder)
    return artifact


def run_transform(root: Path, out: Path, **config: Any) -> str:
    """Transform's output folder, for the examples in `root`; `config`: what differs from its default."""
    examples, schema = examples_artifact(root), schema_artifact(out / "schema")
    component = TransformComponent(
        examples=channel_utils.as_channel([examples]),
        schema=channel_utils.as_channel([schema]),
        preprocessing_fn="components.transform.preprocessing.preprocessing_fn",
        custom_config=Transform(**config).model_dump(),
        splits_config=transform_pb2.SplitsConfig(analyze=[f.TRAIN]),
        materialize=False,
        disable_statistics=True,
        disable_analyzer_cache=True,
    )
    graph = standard_artifacts.TransformGraph()
    graph.uri = str(out / "graph")
    os.makedirs(graph.uri)
    executor = beam_executor(component.executor_spec.executor_class, out / "tmp")
    executor.Do({"examples": [examples], "schema": [schema]}, {"transform_graph": [graph]}, component.exec_properties)
    return graph.uri
