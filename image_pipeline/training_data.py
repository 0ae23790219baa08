"""The data of a run as its Trainer read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.contracts import features, training, tuning
from components.imports import gc_paused
from pipeline.tracking import metadata

if TYPE_CHECKING:
    import tensorflow as tf

    from components.trainer.config import Settings


def dataset(
    stages: dict[str, metadata.Stage], examples: str, graph: str, model_run: str, split: str
) -> tf.data.Dataset:
    """Return the batches of a split; see Run.dataset.

    Args:
      stages: of the run.
      examples: folder of the images that ExampleGen wrote.
      graph: folder of the graph of Transform.
      model_run: folder of the record of the training.
      split: `train`, `validation` or `test`.
    """
    with gc_paused():
        import tensorflow as tf
        from tfx.components.trainer.fn_args_utils import FnArgs

    from components.trainer import budget, strategy, train
    from components.trainer import input as data
    from components.trainer.plan import resolve
    from components.trainer.transform_graph import TransformGraph

    settings = settings_of(stages)
    patterns = {name: [f"{examples}/Split-{name}/*"] for name in features.SPLITS}
    inputs = train.read(
        FnArgs(
            train_files=patterns[features.TRAIN],
            eval_files=patterns[features.VALIDATION],
            transform_graph_path=graph,
            base_model=None,
        ),
        settings,
    )
    devices = strategy.make_strategy(settings.strategy, settings.tpu)
    plan = resolve(settings, devices, inputs.train.count, len(inputs.class_names))
    if planned := training.read(model_run).budget:
        plan = budget.applied(planned, plan)
    if split == features.TRAIN:
        # Without epochs the last layer alone is fitted, on each image once, as it is.
        if not plan.settings.epochs:
            return data.validation_batches(inputs.train, plan)
        batches = data.training_batches(inputs.train, plan)
        return batches.apply(tf.data.experimental.assert_cardinality(plan.steps * plan.settings.epochs))
    if split == features.VALIDATION:
        return data.validation_batches(inputs.validation, plan)
    opened = data.open_split(patterns[split], TransformGraph(graph, settings.size), settings.cache_bytes)
    return data.validation_batches(opened, plan)


def settings_of(stages: dict[str, metadata.Stage]) -> Settings:
    """Return the settings that the Trainer of a run had; tuned hyperparameters override configured ones."""
    from components.trainer.config import Settings

    values = json.loads(str(metadata.property_value(stages["Trainer"].execution, "custom_config")))
    if tuned := metadata.latest_complete(stages, "Tuner", "best_hyperparameters"):
        values |= tuning.read_best(tuned.uri)
    return Settings(**values | {"checkpoints": ""})  # nothing is kept of what is only read
