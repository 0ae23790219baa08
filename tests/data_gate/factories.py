"""Runs the stages up to the gate on examples that a test makes: TFX's own executors and ours, on real Beam."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx.components.example_validator.executor import Executor as ExampleValidator
from tfx.components.schema_gen.executor import Executor as SchemaGen
from tfx.components.schema_gen.import_schema_gen.executor import Executor as ImportSchemaGen
from tfx.components.statistics_gen.executor import Executor as StatisticsGen
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import standard_artifacts

from components.contracts import features as f
from components.contracts.findings import KINDS
from components.data_gate import executor
from components.data_gate.component import DataFindings
from components.statistics_gen.component import stats_options
from tests.datasets import write_examples
from tests.factories import beam_executor, examples_artifact

STOP = dict.fromkeys(KINDS, "stop")


def edited(serialized: bytes, **values: bytes | int | float | None) -> bytes:
    """The example with other values, and without the features that are None."""
    record = tf.train.Example.FromString(serialized)
    for name, value in values.items():
        feature = record.features.feature[name]
        kind = feature.WhichOneof("kind")
        feature.ClearField(kind)
        if value is None:
            del record.features.feature[name]
        else:
            getattr(feature, kind).value.append(value)
    return record.SerializeToString(deterministic=True)


def write(folder: Path, splits: Mapping[str, Iterable[bytes]], **options: Any) -> standard_artifacts.Examples:
    """An Examples artifact as ExampleGen makes it; the options are those of `write_examples`."""
    artifact = examples_artifact(write_examples(folder, splits, **options))
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    artifact.set_string_custom_property("file_format", "tfrecords_gzip")
    return artifact


class Stages:
    """The artifacts of the stages before the gate."""

    def __init__(self, folder: Path, examples: standard_artifacts.Examples, schema_file: Path | None = None) -> None:
        self.folder = folder
        self.examples = examples
        self.statistics = standard_artifacts.ExampleStatistics()
        self.schema = standard_artifacts.Schema()
        self.anomalies = standard_artifacts.ExampleAnomalies()
        for name in ("statistics", "schema", "anomalies"):
            getattr(self, name).uri = str(folder / name)
        beam_executor(StatisticsGen, folder).Do(
            {"examples": [examples]},
            {"statistics": [self.statistics]},
            {"stats_options_json": stats_options().to_json(), "exclude_splits": "[]"},
        )
        if schema_file:
            ImportSchemaGen().Do({}, {"schema": [self.schema]}, {"schema_file": str(schema_file)})
        else:
            SchemaGen().Do(
                {"statistics": [self.statistics]},
                {"schema": [self.schema]},
                {"infer_feature_shape": 1, "exclude_splits": json.dumps([f.VALIDATION, f.TEST])},
            )
        ExampleValidator(BaseExecutor.Context(tmp_dir=str(folder), unique_id="validator")).Do(
            {"statistics": [self.statistics], "schema": [self.schema]},
            {"anomalies": [self.anomalies]},
            {"exclude_splits": "[]"},
        )

    def gate(
        self,
        actions: Mapping[str, str] = STOP,
        max_rejected: float = 0.01,
        max_dropped: float = 0.1,
        previous: DataFindings | None = None,
    ) -> DataFindings:
        """Runs the gate; the parameters as the pipeline passes them."""
        findings = DataFindings()
        findings.uri = str(self.folder / f"findings-{len(list(self.folder.glob('findings-*')))}")
        beam_executor(executor.Executor, self.folder).Do(
            {
                "examples": [self.examples],
                "statistics": [self.statistics],
                "anomalies": [self.anomalies],
                "schema": [self.schema],
                "previous": [previous] if previous else [],
            },
            {"findings": [findings]},
            {
                "actions": json.dumps(dict(actions)),
                "max_rejected": max_rejected,
                "max_dropped": max_dropped,
                "code_fingerprint": "any",
            },
        )
        return findings
