"""The plain TFX pipeline, as TFX's documentation shows it for TFRecords of tf.Example: every default left alone.

The baseline of benchmarks/pipeline.py: ImportExampleGen, StatisticsGen, SchemaGen, ExampleValidator, Transform
(materialised, with its statistics), Trainer, the latest blessed model as baseline, Evaluator, Pusher.
preprocessing_fn is what the documentation shows; run_fn trains this project's model, so that both train the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_model_analysis.proto import config_pb2
from tfx import components as tfx
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2, pusher_pb2, trainer_pb2
from tfx.types import Channel, standard_artifacts

from components.contracts import counts
from components.trainer import train


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Preprocess as TFX's CIFAR-10 example did, with the normalisation of the Transform guide."""
    pixels = tf.map_fn(lambda x: tf.io.decode_image(x[0], channels=3), inputs["image"], fn_output_signature=tf.uint8)
    pixels = tf.ensure_shape(pixels, [None, 32, 32, 3])
    return {"image": tft.scale_to_z_score(tf.cast(pixels, tf.float32)), "label": inputs["label"][:, 0]}


def run_fn(fn_args: FnArgs) -> None:
    """Train as this project does, after writing the class names where our ExampleGen leaves them."""
    root = Path(fn_args.train_files[0]).parent.parent
    counts.write(str(root), counts.Counts(class_names=[str(label) for label in range(10)]))
    train.run_fn(fn_args)


def create_pipeline(records: Path, work: Path, size: int, training: dict[str, Any]) -> Pipeline:
    """Return the pipeline; `records` holds train.tfrecord and test.tfrecord with the features `image` and `label`."""
    splits = [
        example_gen_pb2.Input.Split(name=name, pattern=f"{file}.tfrecord")
        for name, file in (("train", "train"), ("eval", "test"))
    ]
    example_gen = tfx.ImportExampleGen(str(records), input_config=example_gen_pb2.Input(splits=splits))
    statistics_gen = tfx.StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = tfx.SchemaGen(statistics=statistics_gen.outputs["statistics"])
    example_validator = tfx.ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    )
    transform = tfx.Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        preprocessing_fn="benchmarks.plain_pipeline.preprocessing_fn",
    )
    trainer = tfx.Trainer(
        run_fn="benchmarks.plain_pipeline.run_fn",
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema_gen.outputs["schema"],
        train_args=trainer_pb2.TrainArgs(),
        eval_args=trainer_pb2.EvalArgs(),
        custom_config={**training, "size": size},
    )
    baseline = Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("Baseline")
    accuracy = config_pb2.MetricConfig(
        class_name="SparseCategoricalAccuracy",
        threshold=config_pb2.MetricThreshold(
            value_threshold=config_pb2.GenericValueThreshold(lower_bound={"value": 0.1})
        ),
    )
    evaluator = tfx.Evaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        eval_config=config_pb2.EvalConfig(
            model_specs=[
                config_pb2.ModelSpec(
                    signature_name="serving_default", label_key="label", prediction_key="probabilities"
                )
            ],
            slicing_specs=[config_pb2.SlicingSpec(), config_pb2.SlicingSpec(feature_keys=["label"])],
            metrics_specs=[
                config_pb2.MetricsSpec(metrics=[config_pb2.MetricConfig(class_name="ExampleCount"), accuracy])
            ],
        ),
    )
    pusher = tfx.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(work / "serving"))
        ),
    )
    return Pipeline(
        pipeline_name="plain",
        pipeline_root=str(work / "artifacts"),
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(work / "metadata.sqlite")),
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            transform,
            trainer,
            baseline,
            evaluator,
            pusher,
        ],
        beam_pipeline_args=["--runner=FnApiRunner"],
    )
