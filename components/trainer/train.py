"""Trains the network and exports it: the Trainer component's `run_fn`, from top to bottom."""

from __future__ import annotations

import json
import os

import keras
import tensorflow as tf
from absl import logging
from tfx.components.trainer.fn_args_utils import FnArgs

from components import features as f
from components.errors import UserError
from components.trainer import checkpoint, precision
from components.trainer import input as data
from components.trainer import strategy as devices
from components.trainer.export import export
from components.trainer.loop import fit
from components.trainer.model import build_model
from components.trainer.optimizer import build_optimizer
from components.trainer.progress import Record
from components.trainer.settings import Settings
from components.trainer.transform_graph import TransformGraph

HISTORY_FILE = "history.json"  # one object an epoch, as `Record.history` has them
SUMMARY_FILE = "model_summary.txt"
MODEL_FILE = "model.keras"  # the network alone, from normalised pictures to logits; loads with Keras alone
TENSORBOARD_DIR = "tensorboard"


def run_fn(fn_args: FnArgs) -> None:
    """Trains on the `train` split, watches `validation`, writes the model and the record of its training.

    Into `fn_args.serving_model_dir` goes the SavedModel, into `fn_args.model_run_dir` the files named above. On several
    machines each runs it, and the chief alone writes.

    Raises:
        UserError: the wanted accelerator is not there, or the loss turns into something that is not a number.
        KeyboardInterrupt: after Ctrl-C; what is trained so far is kept, and the same call goes on from there.
    """
    settings = Settings(**fn_args.custom_config)
    strategy = devices.choose(settings.strategy, settings.tpu)  # before data is read, and before any tensor exists
    train_and_export(fn_args, settings, strategy)


def train_and_export(fn_args: FnArgs, settings: Settings, strategy: tf.distribute.Strategy) -> None:
    """`run_fn` on the devices of `strategy`."""
    keras.utils.set_random_seed(settings.seed)
    class_names = read_class_names(fn_args.train_files)
    computed_in = precision.choose(settings.precision, strategy)

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
    inputs = [*train.files, *validation.files, *checkpoint.files_below(fn_args.transform_graph_path)]
    key = checkpoint.key(inputs, settings, computed_in) if settings.checkpoints else ""
    settings = devices.scaled(settings, strategy.num_replicas_in_sync, train.count)
    steps = data.steps_per_epoch(train, settings)

    # ------------------------------------------------------------------------------------------------ model and recipe
    with strategy.scope(), precision.computing_in(computed_in):
        model = build_model(settings.size, len(class_names), settings.width)
        # Weights that do not begin at random are set here: before the optimizer looks at them.
        optimizer = build_optimizer(settings, steps * settings.epochs)
        optimizer.build(model.trainable_variables)

    # ------------------------------------------------------------------------------------------------ train
    chief = devices.is_chief(strategy)
    logs = os.path.join(fn_args.model_run_dir, TENSORBOARD_DIR) if chief else None
    record = Record(settings.epochs, steps, settings.batch_size, logs)
    folder = os.path.join(settings.checkpoints, key) if settings.checkpoints else ""
    checkpoints = checkpoint.Checkpoints(folder, settings.checkpoint_seconds, model, optimizer, record, writes=chief)
    checkpoints.restore()
    fit(
        model,
        optimizer,
        lambda first_step: data.training_batches(train, len(class_names), settings, first_step),
        data.validation_batches(validation, len(class_names), settings),
        validation.count,
        settings,
        strategy,
        record,
        checkpoints,
    )
    record.close()
    if not chief:
        return

    # ------------------------------------------------------------------------------------------------ write
    # A copy outside the strategy, in float32: what is exported knows nothing of replicas or of this machine.
    trained = build_model(settings.size, len(class_names), settings.width)
    trained.set_weights(model.get_weights())
    lines: list[str] = []
    trained.summary(line_length=100, print_fn=lambda line, **_: lines.append(line))
    tf.io.gfile.makedirs(fn_args.model_run_dir)
    _write(fn_args.model_run_dir, SUMMARY_FILE, "\n".join(lines) + "\n")
    _write(fn_args.model_run_dir, HISTORY_FILE, json.dumps(record.history, indent=1) + "\n")
    trained.save(os.path.join(fn_args.model_run_dir, MODEL_FILE))
    export(trained, graph, class_names, fn_args.serving_model_dir)
    checkpoints.delete()
    logging.info("trained: %s", record.history[-1])


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
