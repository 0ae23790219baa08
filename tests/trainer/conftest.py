"""The digits, run through Transform once and trained on once, for every test of this room."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tensorflow as tf
from tfx.components import Trainer
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.proto import trainer_pb2
from tfx.types import channel_utils, standard_artifacts
from tfx.utils import path_utils

from components.contracts import features as f
from components.trainer.config import Settings
from components.trainer.plan import Plan, resolve
from pipeline.config import load
from tests.datasets import write_digits
from tests.factories import examples_artifact
from tests.transform.factories import run_transform

# The Trainer's custom_config for the preset `digits`, as pipeline/stages.py makes it.
DIGITS_PRESET: dict[str, Any] = Settings(
    **load("digits")[0].trainer.model_dump() | {"strategy": "cpu", "precision": "float32"}, size=32, seed=0
).model_dump()


def settings_of(**changes: Any) -> Settings:
    """Return the settings of the preset `digits` with some changed."""
    return Settings(**DIGITS_PRESET | changes)


def plan_of(images: int = 1400, classes: int = 10, **changes: Any) -> Plan:
    """Return the plan for the settings of the preset `digits` with some changed, on one CPU."""
    return resolve(settings_of(**changes), tf.distribute.get_strategy(), images, classes)


def scalars(logs: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the points that TensorBoard's own reader finds in the logs of a training, by split and name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: dict[str, list[tuple[int, float]]] = {}
    for split in ("train", "validation"):
        events = EventAccumulator(str(logs / split), {"tensors": 0}, purge_orphaned_data=False)
        events.Reload()
        for tag in events.Tags()["tensors"]:
            points = [(point.step, float(tf.make_ndarray(point.tensor_proto))) for point in events.Tensors(tag)]
            found[f"{split}/{tag}"] = points
    return found


def scalars_of(history: list[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Return the points that a training of this history logs: one for each epoch."""
    names = {f"train/epoch_{name}": name for name in ("loss", "accuracy", "learning_rate")}
    names |= {f"validation/epoch_{name}": f"val_{name}" for name in ("loss", "accuracy")}
    return {
        key: [(epoch["epoch"] - 1, pytest.approx(epoch[name], rel=1e-6)) for epoch in history]
        for key, name in names.items()
    }


class Data(NamedTuple):
    """Inputs of the Trainer: ExampleGen's artifact and Transform's."""

    examples: Path
    graph: str

    def fn_args(self, out: Path, **settings: Any) -> FnArgs:
        """Arguments of run_fn as TFX's executor makes them; one short epoch unless `settings` say otherwise."""
        return FnArgs(
            train_files=[str(self.examples / f"Split-{f.TRAIN}" / "*")],
            eval_files=[str(self.examples / f"Split-{f.VALIDATION}" / "*")],
            transform_graph_path=self.graph,
            serving_model_dir=str(out / "serving"),
            model_run_dir=str(out / "run"),
            custom_config={**DIGITS_PRESET, "epochs": 1, "width": 4, **settings},
        )


class Trained(NamedTuple):
    model: str  # the SavedModel's folder
    run: Path  # the ModelRun artifact's folder


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Data:
    root = tmp_path_factory.mktemp("digits")
    examples = write_digits(root / "examples")
    return Data(examples, run_transform(examples, root))


@pytest.fixture(scope="session")
def trained(digits: Data, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The Trainer component, as the pipeline calls it, with the settings of the preset `digits`."""
    root = tmp_path_factory.mktemp("trained")
    examples, graph = examples_artifact(digits.examples), standard_artifacts.TransformGraph()
    graph.uri = digits.graph
    component = Trainer(
        run_fn="components.trainer.train.run_fn",
        examples=channel_utils.as_channel([examples]),
        transform_graph=channel_utils.as_channel([graph]),
        train_args=trainer_pb2.TrainArgs(splits=[f.TRAIN]),
        eval_args=trainer_pb2.EvalArgs(splits=[f.VALIDATION]),
        custom_config=DIGITS_PRESET,
    )
    model, model_run = standard_artifacts.Model(), standard_artifacts.ModelRun()
    model.uri, model_run.uri = str(root / "model"), str(root / "run")
    os.makedirs(model.uri)
    os.makedirs(model_run.uri)
    component.executor_spec.executor_class().Do(
        {"examples": [examples], "transform_graph": [graph]},
        {"model": [model], "model_run": [model_run]},
        # The pipeline adds a property of its own to every stage.
        {**component.exec_properties, "code_fingerprint": "0"},
    )
    return Trained(path_utils.serving_model_path(model.uri), root / "run")


@pytest.fixture(scope="session")
def test_examples(digits: Data) -> list[bytes]:
    """The serialized examples of the test split."""
    path = digits.examples / f"Split-{f.TEST}" / "data_tfrecord-00000-of-00001.gz"
    return list(tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator())
