"""Trains the network and exports it: the Trainer component's `run_fn`, from top to bottom."""

from __future__ import annotations

import dataclasses
import os
from typing import NamedTuple

import keras
import tensorflow as tf
from absl import logging
from tfx.components.trainer.fn_args_utils import FnArgs

from components.contracts import counts
from components.contracts import features as f
from components.contracts import training as records
from components.errors import UserError
from components.trainer import checkpoint, precision, samples, warm_start
from components.trainer import input as data
from components.trainer import strategy as devices
from components.trainer.calibration import calibrate
from components.trainer.export import export
from components.trainer.loop import fit
from components.trainer.model import build_model, mean_of, over_views, whiten
from components.trainer.optimizer import build_optimizer
from components.trainer.progress import Record
from components.trainer.settings import Settings
from components.trainer.transform_graph import TransformGraph


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a training reads."""

    graph: TransformGraph
    class_names: list[str]  # in the order of the labels
    train: data.Split
    validation: data.Split
    base_model: str | None  # folder of the exported model whose weights it begins with
    fingerprint: str  # of the content of all of it


class Training(NamedTuple):
    """What a training leaves."""

    model: keras.Sequential
    record: Record
    checkpoints: checkpoint.Checkpoints  # to be deleted once the model is written


def run_fn(fn_args: FnArgs) -> None:
    """Trains on the `train` split, watches `validation`, writes the model and the record of its training.

    Into `fn_args.serving_model_dir` goes the SavedModel, into `fn_args.model_run_dir` the files of
    contracts/training.py. On several machines each runs it, the chief alone writes, and all return when it has written.

    Raises:
      UserError: the wanted accelerator is not there, or the loss turns into something that is not a number.
      Stopped: after Ctrl-C, SIGTERM or SIGHUP, on any machine; what is trained so far is kept, and the same call
        goes on from there.
    """
    settings = Settings(**fn_args.custom_config)
    if fn_args.hyperparameters:  # what the Tuner found, in place of what the configuration says
        settings = dataclasses.replace(settings, **fn_args.hyperparameters["values"])
    strategy = devices.choose(settings.strategy, settings.tpu)  # before data is read, and before any tensor exists
    train_and_export(fn_args, settings, strategy)


def train_and_export(fn_args: FnArgs, settings: Settings, strategy: tf.distribute.Strategy) -> None:
    """`run_fn` on the devices of `strategy`."""
    chief = devices.is_chief(strategy)
    inputs = read(fn_args, settings)
    trainings = []
    for network in range(settings.ensemble):
        several = settings.ensemble > 1
        logs = os.path.join(
            fn_args.model_run_dir, records.TENSORBOARD_DIR, *([f"network-{network + 1}"] if several else [])
        )
        title = f"network {network + 1}/{settings.ensemble}, " if several else ""
        trainings.append(train(inputs, settings, strategy, logs if chief else None, title, network))
        trainings[-1].checkpoints.save()  # what is trained stays, should a later one be stopped
    if chief:
        _write_results(fn_args, settings, inputs, trainings)
        for training in trainings:
            training.checkpoints.delete()
        logging.info("trained: %s", trainings[-1].record.history[-1])
    devices.on_any(strategy, True)  # TFX looks for the model as soon as this returns, on every machine


def _write_results(fn_args: FnArgs, settings: Settings, inputs: Inputs, trainings: list[Training]) -> None:
    # Copies outside the strategy, in float32: what is exported knows nothing of replicas or of this machine.
    networks = [build_model(settings, len(inputs.class_names)) for _ in trainings]
    for network, training in zip(networks, trainings):
        network.set_weights(training.model.get_weights())
    trained = over_views(mean_of(networks), settings.test_time_views)
    # With its views a batch takes no more memory than in training.
    few = dataclasses.replace(settings, batch_size=max(1, settings.batch_size // settings.test_time_views))
    factor = calibrate(trained, data.validation_batches(inputs.validation, len(inputs.class_names), few))
    logging.info("logits scaled by %.3f", factor)
    lines: list[str] = []
    trained.summary(line_length=100, expand_nested=True, print_fn=lambda line, **_: lines.append(line))
    epochs = [
        records.Epoch(network=number if settings.ensemble > 1 else None, **epoch)
        for number, training in enumerate(trainings, 1)
        for epoch in training.record.history
    ]
    record = records.Training(epochs, "\n".join(lines) + "\n", trained.count_params())
    records.write(fn_args.model_run_dir, record)
    trained.save(os.path.join(fn_args.model_run_dir, records.MODEL_FILE))
    samples.write(inputs.train, settings, fn_args.model_run_dir)
    export(trained, inputs.graph, inputs.class_names, fn_args.serving_model_dir)


def read(fn_args: FnArgs, settings: Settings) -> Inputs:
    """Opens what TFX names. UserError where a split is empty, Damaged where records are lost."""
    graph = TransformGraph(fn_args.transform_graph_path, settings.size)
    train = data.open_split(fn_args.train_files, graph, settings.cache_bytes)
    left = settings.cache_bytes - (data.decoded_bytes(train) if train.cache else 0)
    validation = data.open_split(fn_args.eval_files, graph, left)
    counts.check(_examples(fn_args.train_files), {f.TRAIN: train.count, f.VALIDATION: validation.count})
    if not train.count or not validation.count:
        raise UserError(
            f"there are {train.count} pictures to train on and {validation.count} to validate with: both splits need "
            "some; add pictures or change data.splits"
        )
    base = fn_args.base_model
    folders = [fn_args.transform_graph_path, *([base] if base else [])]
    files = [*train.files, *validation.files, *(file for folder in folders for file in checkpoint.files_below(folder))]
    fingerprint = checkpoint.content(files) if settings.checkpoints else ""
    return Inputs(graph, read_class_names(fn_args.train_files), train, validation, base, fingerprint)


def train(
    inputs: Inputs,
    settings: Settings,
    strategy: tf.distribute.Strategy,
    logs: str | None,
    title: str = "",
    network: int = 0,
) -> Training:
    """One network, trained.

    Goes on where the same training was stopped, if it was.

    Args:
      logs: folder of the TensorBoard logs; none are written if None.
      title: said before each word of progress.
      network: of the ensemble, from 0; it is added to the seed.
    """
    settings = dataclasses.replace(settings, seed=settings.seed + network)
    keras.utils.set_random_seed(settings.seed)
    computed_in = precision.choose(settings.precision, strategy)
    key = checkpoint.key(inputs.fingerprint, settings, computed_in)
    folder = os.path.join(settings.checkpoints, key) if settings.checkpoints else ""
    settings = devices.scaled(settings, strategy.num_replicas_in_sync, inputs.train.count)
    classes = len(inputs.class_names)
    steps = data.steps_per_epoch(inputs.train, settings)

    # ------------------------------------------------------------------------------------------------ model and recipe
    with strategy.scope(), precision.computing_in(computed_in):
        model = build_model(settings, classes)
        whiten(model, next(iter(data.training_batches(inputs.train, classes, settings)))[0])
        if inputs.base_model:
            warm_start.begin_with(model, inputs.class_names, inputs.base_model, network, settings.ensemble)
        optimizer = build_optimizer(settings, steps * settings.epochs)
        optimizer.build(model.trainable_variables)

    # ------------------------------------------------------------------------------------------------ train
    record = Record(settings.epochs, steps, settings.batch_size, logs, title)
    writes = devices.is_chief(strategy)
    checkpoints = checkpoint.Checkpoints(folder, settings.checkpoint_seconds, model, optimizer, record, writes)
    checkpoints.restore()
    try:
        fit(
            model,
            optimizer,
            lambda first_step, part: data.training_batches(inputs.train, classes, settings, first_step, part),
            lambda part: data.validation_batches(inputs.validation, classes, settings, part),
            inputs.validation.count,
            settings,
            strategy,
            record,
            checkpoints,
        )
    finally:
        record.close()
    return Training(model, record, checkpoints)


def read_class_names(train_files: list[str]) -> list[str]:
    """The class names in the order of the labels, from what ExampleGen wrote at the root of its artifact.

    Args:
      train_files: patterns as TFX gives them, `<artifact>/Split-train/*`.
    """
    return counts.read(_examples(train_files)).class_names


def _examples(train_files: list[str]) -> str:
    """The root of the artifact that ExampleGen wrote."""
    return os.path.dirname(os.path.dirname(train_files[0]))
