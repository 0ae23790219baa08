"""TFX's StatisticsGen with options that suit images."""

from __future__ import annotations

from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components import StatisticsGen
from tfx.components.statistics_gen import executor as tfx_statistics_gen
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs

from components.contracts import counts, statistics
from components.contracts import features as f
from components.tfx_types import Artifacts


def stats_options() -> tfdv.StatsOptions:
    """Options under which every feature has statistics, and none costs more than it tells.

    `image`, `source` and `pixels_sha256` differ in every image: counting and ranking their values is most of TFDV's
    default work, without a use. Marked as such, their presence and number of values are still checked, and an inferred
    schema has them. The other features are exact up to 16,384 different values. A feature that only some images have is
    left out: a split without such an image would be an anomaly.
    """
    image = schema_pb2.Feature(name=f.IMAGE, type=schema_pb2.BYTES, image_domain=schema_pb2.ImageDomain())  # no text
    unique = schema_pb2.StringDomain(is_categorical=schema_pb2.StringDomain.CATEGORICAL_NO)
    texts = [
        schema_pb2.Feature(name=name, type=schema_pb2.BYTES, string_domain=unique)
        for name in (f.SOURCE, f.PIXELS_SHA256)
    ]
    schema = schema_pb2.Schema(feature=[image, *texts])
    # The sketches are what heeds the mark of `source` and `pixels_sha256`.
    always_present = sorted(f.ALWAYS_PRESENT)
    return tfdv.StatsOptions(schema=schema, use_sketch_based_topk_uniques=True, feature_allowlist=always_present)


class Executor(tfx_statistics_gen.Executor):
    """TFX's executor with the options set here, not as a parameter of the component.

    Their JSON is full of backslashes, which ml-metadata's PostgreSQL client cannot store.
    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        options = {standard_component_specs.STATS_OPTIONS_JSON_KEY: stats_options().to_json()}
        super().Do(input_dict, output_dict, exec_properties | options)
        written = artifact_utils.get_single_uri(output_dict["statistics"])
        counts.check(
            artifact_utils.get_single_uri(input_dict[standard_component_specs.EXAMPLES_KEY]),
            {split: int(statistics.read(statistics.path(written, split)).num_examples) for split in f.SPLITS},
        )


class ImageStatisticsGen(StatisticsGen):
    """Statistics of every feature, a split at a time."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
