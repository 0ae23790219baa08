"""The Trainer component's `run_fn`: train the network and export it."""

from __future__ import annotations

import dataclasses
import math
import os
import time

import keras
import tensorflow as tf
from absl import logging
from tfx.components.trainer.fn_args_utils import FnArgs

from components import files, progress
from components.contracts import counts, stored
from components.contracts import features as f
from components.contracts import training as records
from components.errors import Stopped, UserError
from components.files import below
from components.trainer import (
    budget,
    checkpoint,
    class_weights,
    head,
    networks,
    precision,
    samples,
    summary,
    training_record,
    warm_start,
)
from components.trainer import input as data
from components.trainer import strategy as devices
from components.trainer.best import Best
from components.trainer.calibration import calibrate
from components.trainer.config import Settings
from components.trainer.export import export
from components.trainer.loop import Data, LastLayer, State, fit
from components.trainer.model import mean_of, over_views
from components.trainer.plan import Plan, resolve
from components.trainer.record import DivergedError, Record
from components.trainer.transform_graph import TransformGraph

# In a custom job of Vertex AI for a TensorBoard, the folder whose logs the service uploads.
UPLOADED = "AIP_TENSORBOARD_LOG_DIR"
# Settings that the features of a pretrained network depend on.
_OF_FEATURES = {"network", "network_code", "weights", "weights_sha256", "size", "batch_size", "strategy"}


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The inputs of a training."""

    graph: TransformGraph
    class_names: list[str]  # in the order of the labels
    images_of_class: list[int]  # in the training split
    train: data.Split
    validation: data.Split
    base_model: str | None  # folder of the exported model whose weights it begins with
    fingerprint: str  # of the content of all of it
    seconds: float  # that it took to open them


def run_fn(fn_args: FnArgs) -> None:
    """Train on the split `train`, validate on `validation`, write the model and the record of its training.

    Into `fn_args.serving_model_dir` goes the SavedModel, into `fn_args.model_run_dir` the files of
    contracts/training.py. On several machines each runs it, the chief alone writes, and all return when it has written.

    Raises:
      UserError: the wanted accelerator is not there, or the loss turns into something that is not a number.
      Stopped: after Ctrl-C, SIGTERM or SIGHUP, on any machine; what is trained so far is kept, and the same call
        resumes from there.
    """
    tuned = fn_args.hyperparameters["values"] if fn_args.hyperparameters else {}  # override the configuration
    settings = Settings(**{**fn_args.custom_config, **tuned})
    strategy = devices.make_strategy(
        settings.strategy, settings.tpu
    )  # before data is read, and before any tensor exists
    train_and_export(fn_args, settings, strategy)


def train_and_export(fn_args: FnArgs, settings: Settings, strategy: tf.distribute.Strategy) -> None:
    """Train and export as `run_fn`, on the devices of `strategy`."""
    chief = devices.is_chief(strategy)
    inputs = read(fn_args, settings)
    trainings: list[State] = []
    for network in range(settings.ensemble):
        several = settings.ensemble > 1
        board = os.environ.get(UPLOADED) or os.path.join(fn_args.model_run_dir, records.TENSORBOARD_DIR)
        logs = os.path.join(board, f"network-{network + 1}") if several else board
        title = f"network {network + 1}/{settings.ensemble}, " if several else ""
        try:
            trainings.append(train(inputs, settings, strategy, logs if chief else None, title, network))
        except (Stopped, DivergedError) as error:
            number = {"network": network + 1} if several else {}
            earlier = [epoch.measured() for epoch in training_record.epochs(trainings, settings)]
            error.epochs = [*earlier, *({**number, **epoch} for epoch in error.epochs)]
            raise
        trainings[-1].checkpoints.save()  # trained networks are kept if a later one is interrupted
        if not trainings[-1].plan.settings.epochs:
            break  # the last layer alone is fitted, and would be the same in every network
    if chief:
        _write_results(fn_args, inputs, settings, trainings)
        for training in trainings:
            training.checkpoints.delete()
            checkpoint.remove(training.features)
        logging.info("trained: %s", trainings[-1].record.history[-1])
    devices.any_worker(strategy, True)  # TFX looks for the model as soon as this returns, on every machine


def _write_results(fn_args: FnArgs, inputs: Inputs, settings: Settings, trainings: list[State]) -> None:
    plan, views = trainings[0].plan, settings.test_time_views
    keras.utils.clear_session(free_memory=False)  # layers' names must not count the models that this process has made
    # Copies outside the strategy, in float32: the export must not depend on replicas or on this machine.
    copies = [networks.find(settings).build(plan.settings, plan.classes) for _ in trainings]
    for copy, training in zip(copies, trainings):
        copy.set_weights(training.model.get_weights())
    trained = over_views(mean_of(copies), views)
    # With its views a batch takes no more memory than in training.
    few = plan.settings.model_copy(update={"batch_size": max(1, settings.batch_size // views)})
    factor = calibrate(trained, data.validation_batches(inputs.validation, dataclasses.replace(plan, settings=few)))
    logging.info("logits scaled by %.3f", factor)
    epochs = training_record.epochs(trainings, settings)
    weights = dict(zip(inputs.class_names, plan.class_weights))
    weighted = records.ClassWeights(settings.class_weights, weights) if weights else None
    size, pretrained, planned = trained.count_params(), training_record.pretrained(settings), trainings[0].budget
    setup = training_record.setup(inputs.train, settings, trainings[0], factor)
    record = records.Training(epochs, summary.text(trained), size, weighted, pretrained, planned, setup)
    records.write(fn_args.model_run_dir, record)
    trained.save(os.path.join(fn_args.model_run_dir, records.MODEL_FILE))
    samples.write(inputs.train, settings, inputs.class_names, fn_args.model_run_dir)
    export(trained, inputs.graph, inputs.class_names, fn_args.serving_model_dir)


def read(fn_args: FnArgs, settings: Settings) -> Inputs:
    """Open the artifacts that TFX names in `fn_args`.

    Raises:
      UserError: a split is empty.
      Damaged: records are lost.
    """
    began = time.monotonic()
    graph = TransformGraph(fn_args.transform_graph_path, settings.size)
    train = data.open_split(fn_args.train_files, graph, settings.cache_bytes)
    remaining = settings.cache_bytes - (data.decoded_bytes(train) if train.cache else 0)
    validation = data.open_split(fn_args.eval_files, graph, remaining)
    examples = os.path.dirname(os.path.dirname(fn_args.train_files[0]))  # of <artifact>/Split-train/*
    counts.check(examples, {f.TRAIN: train.count, f.VALIDATION: validation.count})
    if not train.count or not validation.count:
        raise UserError(
            f"there are {train.count} images to train on and {validation.count} to validate with: both splits need "
            "some; add images or change data.splits"
        )
    base = fn_args.base_model
    folders = [fn_args.transform_graph_path, *([base] if base else [])]
    files = [*train.files, *validation.files, *(f"{folder}/{name}" for folder in folders for name in below(folder))]
    fingerprint = checkpoint.content(files) if settings.checkpoints else ""
    counted = counts.read(examples)
    images_of_class = [counted.of_class(f.TRAIN, name) for name in counted.class_names]
    seconds = time.monotonic() - began
    return Inputs(graph, counted.class_names, images_of_class, train, validation, base, fingerprint, seconds)


def train(
    inputs: Inputs,
    settings: Settings,
    strategy: tf.distribute.Strategy,
    logs: str | None,
    title: str = "",
    network: int = 0,
) -> State:
    """Train one network; resume it if the same training was interrupted.

    Args:
      logs: folder of the TensorBoard logs; none are written if None.
      title: precedes each line of progress.
      network: of the ensemble, from 0; it is added to the seed.
    """
    deadline = time.monotonic() + budget.LATEST * _seconds(inputs, settings) if settings.minutes else math.inf
    plan = resolve(settings, strategy, inputs.train.count, len(inputs.class_names), network)
    weights = class_weights.of(settings.class_weights, inputs.images_of_class)
    plan = dataclasses.replace(plan, class_weights=weights)
    key = checkpoint.key(inputs.fingerprint, plan.settings, plan.precision)
    folder = os.path.join(settings.checkpoints, key) if settings.checkpoints else ""
    planned = _within_minutes(inputs, settings, plan, strategy, folder) if settings.minutes else None
    if planned:
        plan = budget.applied(planned, plan)
        progress.report(f"{title}{planned.text(training_record.pretrained(settings) is not None)}")
    keras.utils.set_random_seed(plan.settings.seed)

    # ------------------------------------------------------------------------------------------------ model and recipe
    recipe = networks.find(settings)
    with strategy.scope(), precision.computing_in(plan.precision):
        model, optimizer = _built(recipe, plan)
        recipe.prepare(model, plan.settings, lambda: next(iter(data.training_batches(inputs.train, plan)))[0])
        if inputs.base_model:
            several = settings.ensemble if plan.settings.epochs else 1
            warm_start.load_weights(model, inputs.class_names, inputs.base_model, network, several)

    # ------------------------------------------------------------------------------------------------ train
    record = Record(plan.settings.epochs, plan.steps, plan.settings.batch_size, logs, title)
    writes, best = devices.is_chief(strategy), Best(model, settings.keep == "best")
    checkpoints = checkpoint.Checkpoints(folder, settings.checkpoint_seconds, model, optimizer, record, best, writes)
    checkpoints.restore()
    features = _folder_of_features(inputs, plan, network) if training_record.pretrained(settings) else ""
    state = State(plan, model, optimizer, record, best, checkpoints, features, planned)

    def last_layer() -> LastLayer:
        return head.fit(model, (inputs.train, inputs.validation), plan, strategy, features)

    try:
        fit(
            state,
            _batches(inputs, plan),
            strategy,
            last_layer if training_record.pretrained(settings) else None,
            deadline,
        )
    except (Stopped, DivergedError) as error:
        error.epochs = record.history
        raise
    finally:
        record.close()
    return state


def _built(recipe: networks.Network, plan: Plan) -> tuple[keras.Sequential, keras.optimizers.Optimizer]:
    model = recipe.build(plan.settings, plan.classes)
    optimizer = recipe.optimizer(plan.settings.learning_rate, plan.steps * plan.settings.epochs)
    optimizer.build(model.trainable_variables)
    return model, optimizer


def _batches(inputs: Inputs, plan: Plan) -> Data:
    return Data(
        lambda first_step, part: data.training_batches(inputs.train, plan, first_step, part),
        lambda part: data.validation_batches(inputs.validation, plan, part),
        inputs.validation.count,
    )


def _seconds(inputs: Inputs, settings: Settings) -> float:
    """Return the seconds that one network may take of `trainer.minutes`."""
    return (settings.minutes * 60 - inputs.seconds) / settings.ensemble


def _within_minutes(
    inputs: Inputs, settings: Settings, plan: Plan, strategy: tf.distribute.Strategy, folder: str
) -> records.Budget:
    """Return the epochs that fit in `trainer.minutes`; those that an interrupted training planned, if this is one.

    Raises:
      UserError: the interrupted training's plan cannot be read.
    """
    path = f"{folder}/{records.BUDGET_FILE}" if folder else ""
    if path and files.exists(path):
        try:
            return stored.read(records.Budget, path)
        except (OSError, ValueError) as error:
            raise UserError(f"the plan in {path} cannot be read: remove {folder} to train from the start") from error
    pretrained = training_record.pretrained(settings) is not None
    recipe, validation = networks.find(settings), inputs.validation.count

    def pace(candidate: Plan) -> budget.Pace:
        with strategy.scope(), precision.computing_in(plan.precision):
            return budget.measure(lambda: _built(recipe, candidate), candidate, _batches(inputs, candidate), strategy)

    depths = budget.depths(settings.fine_tune, plan.settings.fine_tune, pretrained)
    images = (validation, inputs.train.count + validation if pretrained else 0)
    planned = budget.fit(plan, depths, _seconds(inputs, settings), images, pace)
    if path and devices.is_chief(strategy):
        stored.write(planned, path)
    return planned


def _folder_of_features(inputs: Inputs, plan: Plan, network: int) -> str:
    """Return the folder that all trainings share whose pretrained network makes the same of the images.

    So they are computed once for all networks of an ensemble, and once for all trials of the Tuner.
    """
    settings = plan.settings
    if not settings.checkpoints:
        return ""
    base = f", network {network} of a base model" if inputs.base_model else ""
    key = checkpoint.key(inputs.fingerprint + base, settings, plan.precision, _OF_FEATURES)
    return os.path.join(settings.checkpoints, f"features-{key}")
