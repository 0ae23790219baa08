"""The chain: every stage once, in the order of the data flow."""

from __future__ import annotations

import tensorflow as tf
from tfx import components as tfx
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2, transform_pb2
from tfx.types import Channel, standard_artifacts

from components import files
from components.contracts import features
from components.contracts import schema as schemas
from components.errors import UserError
from components.evaluator.eval_config import eval_config
from components.evaluator.executor import ImageEvaluator
from components.example_gen.component import ImageExampleGen
from components.example_gen.formats.base import Source
from components.serving_check.component import ServingCheck
from components.statistics_gen.component import ImageStatisticsGen
from components.trainer import networks
from components.trainer.config import Settings
from components.trainer.networks import weights
from components.transform.component import ImageTransform
from pipeline import curated_schema
from pipeline.config import Config
from pipeline.platform import Platform


def create_pipeline(config: Config, source: Source, platform: Platform) -> Pipeline:
    """Return the TFX pipeline; `platform` provides what differs between platforms."""
    # Reads the images of the source into tf.Examples, in three splits.
    example_gen = ImageExampleGen(source, config.data, config.gate.drop).with_id("ExampleGen")
    examples = example_gen.outputs["examples"]

    # Computes statistics of every feature, a split at a time.
    statistics_gen = ImageStatisticsGen(examples=examples).with_id("StatisticsGen")
    statistics = statistics_gen.outputs["statistics"]

    # What the data should look like: curated for a known data set, inferred from `train` for a new one.
    curated = read_schema(config)
    if curated:
        schema_gen = ImportSchemaGen(schema_file=platform.schema_path(curated)).with_id("SchemaGen")
        schema_gen.add_upstream_node(statistics_gen)  # not an input, but it gives the stages a readable order
    else:
        other_splits = [split for split in features.SPLITS if split != features.TRAIN]
        schema_gen = tfx.SchemaGen(statistics=statistics, exclude_splits=other_splits).with_id("SchemaGen")
    schema = schema_gen.outputs["schema"]

    # Compares the statistics of every split with the schema.
    example_validator = tfx.ExampleValidator(statistics=statistics, schema=schema).with_id("ExampleValidator")

    # Finds the data that was accepted before, to measure drift against.
    previous_data = platform.previous_data(statistics).with_id("PreviousData")

    # Stops the run where the data cannot be trusted.
    data_gate = platform.data_gate(
        examples=examples,
        statistics=statistics,
        anomalies=example_validator.outputs["anomalies"],
        schema=schema,
        actions=config.gate.actions,
        max_rejected=config.gate.max_rejected,
        max_dropped=config.gate.max_dropped,
        previous=previous_data.outputs["previous"],
    ).with_id("DataGate")

    # Decodes, resizes and normalises; analysed on `train` only. Nothing is written but the graph.
    transform = ImageTransform(
        examples=examples,
        schema=schema,
        preprocessing_fn="components.transform.preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=[features.TRAIN]),
        custom_config={**config.transform.model_dump(), "pixels": networks.pixels(config.trainer.network)},
        materialize=False,
        disable_statistics=True,
        disable_analyzer_cache=True,
    ).with_id("Transform")
    # An ordering without an input: a new verdict on the same data must not retrain.
    transform.add_upstream_node(data_gate)

    training = {
        "examples": examples,
        "transform_graph": transform.outputs["transform_graph"],
        "train_args": trainer_pb2.TrainArgs(splits=[features.TRAIN]),
        "eval_args": trainer_pb2.EvalArgs(splits=[features.VALIDATION]),
    }
    weights_file = weights.path(config.trainer.network, config.trainer.weights, config.data.cache_dir)
    settings = Settings(
        **config.trainer.model_dump(),
        network_code=networks.source(config.trainer.network),
        weights_file=weights_file,
        weights_sha256=weights.sha256(weights_file),
        weights_published=weights.is_published(config.trainer.network, weights_file),
        size=config.transform.size,
        seed=config.seed,
    ).model_dump()
    optional: list[BaseNode] = []

    # Finds the model whose weights the training begins with.
    if config.warm_start:
        warm_start = latest_blessed_model().with_id("WarmStart")
        warm_start.add_upstream_node(transform)
        training["base_model"] = warm_start.outputs["model"]
        optional.append(warm_start)

    # Searches hyperparameters, one training per trial.
    tuned, hyperparameters = {}, None
    if config.tuner.trials:
        tuner = platform.tuner(
            tuner_fn="components.trainer.tune.tuner_fn",
            custom_config=platform.tuner_config({**settings, **config.tuner.model_dump(mode="json")}),
            **training,
        ).with_id("Tuner")
        tuned["trials"] = tuner.outputs["tuner_results"]
        hyperparameters = tuner.outputs["best_hyperparameters"]
        optional.append(tuner)

    # Fits a Keras Sequential model under a tf.distribute strategy, and exports it with the Transform graph inside.
    trainer = platform.trainer(
        run_fn="components.trainer.train.run_fn",
        custom_config=platform.trainer_config(settings),
        hyperparameters=hyperparameters,
        **training,
    ).with_id("Trainer")
    model = trainer.outputs["model"]

    # Finds the baseline: the latest blessed model other than the candidate.
    baseline = platform.baseline(model).with_id("Baseline")

    # Measures the candidate beside the baseline on `test`, and blesses it or not.
    evaluator = ImageEvaluator(
        examples=examples,
        example_splits=[features.TEST],
        model=model,
        baseline_model=baseline.outputs["model"],
        eval_config=eval_config(config.evaluator.table(), config.evaluator.confidence),
        module_path="components.evaluator.slices",
    ).with_id("Evaluator")

    # Serves the test split from the exported model in a clean process, and compares the answers.
    serving_check = ServingCheck(
        examples=examples,
        model=model,
        evaluation=evaluator.outputs["evaluation"],
        timeout_seconds=config.serving.timeout_seconds,
    ).with_id("ServingCheck")

    # Copies a model that the Evaluator and ServingCheck blessed to the serving folder.
    pusher = platform.pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
    ).with_id("Pusher")

    # Writes the report, if that is a stage on the platform.
    report = platform.report(
        examples=examples,
        statistics=statistics,
        schema=schema,
        anomalies=example_validator.outputs["anomalies"],
        previous=previous_data.outputs["previous"],
        findings=data_gate.outputs["findings"],
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        infra_blessing=serving_check.outputs["blessing"],
        predictions=serving_check.outputs["predictions"],
        **tuned,
    )

    return Pipeline(
        pipeline_name=platform.pipeline_name,
        pipeline_root=platform.pipeline_root,
        metadata_connection_config=platform.metadata_connection,
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            previous_data,
            data_gate,
            transform,
            *optional,
            trainer,
            baseline,
            evaluator,
            serving_check,
            pusher,
            *report,
        ],
        enable_cache=platform.caching,
        beam_pipeline_args=platform.beam_args,
    )


def latest_blessed_model() -> Resolver:
    """Return a resolver whose output `model` is the latest blessed one."""
    return Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
    )


def push_destination(folder: str) -> pusher_pb2.PushDestination:
    """Return the destination of a Pusher that writes below `folder`."""
    return pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=folder))


def read_schema(config: Config) -> str | None:
    """Return the path of the curated schema, None if the schema is to be inferred.

    Raises:
      UserError: it cannot be read, or is no schema.
    """
    path = curated_schema.path(config)
    if path is None:
        return None
    try:
        schemas.read(path)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"cannot read the schema {path}: {files.error_reason(error)}") from None
    except ValueError as error:
        raise UserError(f"the schema {path} is not a text proto of a TFDV schema: line {error}") from None
    return path
