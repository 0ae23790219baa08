"""Trains the network and exports it: the Trainer component's `run_fn`, from top to bottom."""

from __future__ import annotations

import dataclasses
import json
import os

import keras
import tensorflow as tf
from absl import logging
from tfx.components.trainer.fn_args_utils import FnArgs

from components import features as f
from components.errors import UserError
from components.trainer import input as data
from components.trainer import strategy as devices
from components.trainer.export import export
from components.trainer.model import build_model
from components.trainer.progress import Progress
from components.trainer.settings import Settings
from components.trainer.transform_graph import TransformGraph

HISTORY_FILE = "history.json"  # one object an epoch, as `Progress.history` has them
SUMMARY_FILE = "model_summary.txt"
MODEL_FILE = "model.keras"  # the network alone, from normalised pictures to logits; loads with Keras alone
TENSORBOARD_DIR = "tensorboard"


def run_fn(fn_args: FnArgs) -> None:
    """Trains on the `train` split, watches `validation`, writes the model and the record of its training.

    Into `fn_args.serving_model_dir` goes the SavedModel, into `fn_args.model_run_dir` the files named above.

    Raises:
        UserError: the wanted accelerator is not there, or the loss turns into something that is not a number.
    """
    settings = Settings(**fn_args.custom_config)
    strategy = devices.choose(settings.strategy)  # before any data is read, and before any tensor exists
    train_and_export(fn_args, settings, strategy)


def train_and_export(fn_args: FnArgs, settings: Settings, strategy: tf.distribute.Strategy) -> None:
    """`run_fn` on the devices of `strategy`."""
    keras.utils.set_random_seed(settings.seed)
    class_names = read_class_names(fn_args.train_files)

    # ------------------------------------------------------------------------------------------------ data
    graph = TransformGraph(fn_args.transform_graph_path, settings.size)
    train = data.open_split(fn_args.train_files, graph, settings.cache_bytes)
    left = settings.cache_bytes - (data.decoded_bytes(train) if train.cache else 0)
    validation = data.open_split(fn_args.eval_files, graph, left)
    if not train.count or not validation.count:
        raise UserError(
            f"there are {train.count} pictures to train on and {validation.count} to validate with: both splits need "
            "some; add pictures or change data.splits"
        )
    # A set smaller than a batch is a batch.
    settings = dataclasses.replace(settings, batch_size=min(settings.batch_size, train.count))
    steps = data.steps_per_epoch(train, settings)

    # ------------------------------------------------------------------------------------------------ model and recipe
    with strategy.scope():
        model = build_model(settings.size, len(class_names), settings.width)
        model.compile(
            optimizer=build_optimizer(settings, steps * settings.epochs),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing),
            metrics=["accuracy"],
        )

    # ------------------------------------------------------------------------------------------------ train
    watch = Progress(settings.epochs, steps, settings.batch_size)
    model.fit(
        data.training_batches(train, len(class_names), settings),
        steps_per_epoch=steps,
        epochs=settings.epochs,
        validation_data=data.validation_batches(validation, len(class_names), settings),
        callbacks=[
            watch,
            keras.callbacks.TensorBoard(os.path.join(fn_args.model_run_dir, TENSORBOARD_DIR), write_graph=False),
        ],
        verbose=0,
    )

    # ------------------------------------------------------------------------------------------------ write
    # A copy outside the strategy: what is exported knows nothing of replicas.
    trained = build_model(settings.size, len(class_names), settings.width)
    trained.set_weights(model.get_weights())
    lines: list[str] = []
    trained.summary(line_length=100, print_fn=lambda line, **_: lines.append(line))
    tf.io.gfile.makedirs(fn_args.model_run_dir)
    _write(fn_args.model_run_dir, SUMMARY_FILE, "\n".join(lines) + "\n")
    _write(fn_args.model_run_dir, HISTORY_FILE, json.dumps(watch.history, indent=1) + "\n")
    trained.save(os.path.join(fn_args.model_run_dir, MODEL_FILE))
    export(trained, graph, class_names, fn_args.serving_model_dir)
    logging.info("trained: %s", watch.history[-1])


def build_optimizer(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    """Nesterov SGD whose learning rate rises to its peak over the first fifth of `steps`, then falls to zero."""
    warmup = max(1, steps // 5)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=settings.learning_rate, warmup_steps=warmup
    )
    return keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=settings.weight_decay)


def read_class_names(train_files: list[str]) -> list[str]:
    """The class names in the order of the labels, from what ExampleGen wrote at the root of its artifact.

    Args:
        train_files: patterns as TFX gives them, `<artifact>/Split-train/*`.
    """
    root = os.path.dirname(os.path.dirname(train_files[0]))
    with tf.io.gfile.GFile(os.path.join(root, f.COUNTS_FILE)) as file:
        return json.load(file)["class_names"]


def _write(directory: str, name: str, text: str) -> None:
    with tf.io.gfile.GFile(os.path.join(directory, name), "w") as file:
        file.write(text)
