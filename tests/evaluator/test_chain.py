"""Evaluator, ServingCheck and Pusher as the pipeline connects them, on TFX's BeamDagRunner."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from components.contracts import evaluation
from components.contracts.gates import table
from tests.factories import BEAM_ARGS

STAGES = ("Digits", "Standin", "Baseline", "Evaluator", "ServingCheck", "Pusher")


def run(folder: Path, sharpness: float = 20.0, min_accuracy: float = 0.5) -> list[str]:
    """Runs the chain; returns the stages that executed, in order."""
    from tfx.components import Evaluator, Pusher
    from tfx.dsl.components.base import executor_spec
    from tfx.dsl.components.common.resolver import Resolver
    from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
    from tfx.orchestration.metadata import sqlite_metadata_connection_config
    from tfx.orchestration.pipeline import Pipeline
    from tfx.proto import pusher_pb2
    from tfx.types import Channel
    from tfx.types.standard_artifacts import Model, ModelBlessing

    from components.evaluator.baseline import LatestOtherBlessedModelStrategy
    from components.evaluator.eval_config import eval_config
    from components.pusher.executor import Executor as PusherExecutor
    from components.serving_check.component import ServingCheck
    from tests.evaluator.fakes import Digits, Standin

    short = {"min_accuracy": min_accuracy, "min_class_recall": 0.2, "max_drop": 0.01}
    data = Digits()
    trainer = Standin(sharpness=sharpness)
    baseline = Resolver(
        strategy_class=LatestOtherBlessedModelStrategy,
        candidate=trainer.outputs["model"],
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id("Baseline")
    evaluator = Evaluator(
        examples=data.outputs["examples"],
        example_splits=["test"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        eval_config=eval_config(table(short, []), confidence=0.95),
        module_path="components.evaluator.slices",
    )
    serving_check = ServingCheck(
        examples=data.outputs["examples"],
        model=trainer.outputs["model"],
        evaluation=evaluator.outputs["evaluation"],
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(folder / "serving"))
        ),
        custom_executor_spec=executor_spec.ExecutorClassSpec(PusherExecutor),
    )
    database = str(folder / "metadata.db")
    pipeline = Pipeline(
        "digits",
        str(folder / "artifacts"),
        components=[data, trainer, baseline, evaluator, serving_check, pusher],
        enable_cache=True,
        metadata_connection_config=sqlite_metadata_connection_config(database),
        beam_pipeline_args=BEAM_ARGS,
    )
    before = _complete(database)
    BeamDagRunner().run(pipeline)
    after = _complete(database)
    return [stage for stage in STAGES if after.get(stage, 0) > before.get(stage, 0)]


def _complete(database: str) -> dict[str, int]:
    """How many executions of each stage were carried out, not served from cache."""
    import ml_metadata as mlmd
    from ml_metadata.proto import metadata_store_pb2 as pb

    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = database
    store = mlmd.MetadataStore(config)
    names = {t.id: t.name.rsplit(".", 1)[-1] for t in store.get_execution_types()}
    counts: dict[str, int] = {}
    for execution in store.get_executions():
        if execution.last_known_state == pb.Execution.COMPLETE:
            counts[names[execution.type_id]] = counts.get(names[execution.type_id], 0) + 1
    return counts


def only(folder: Path, pattern: str) -> Path:
    """The newest of the artifacts."""
    return max(folder.glob(f"artifacts/{pattern}/*"), key=lambda path: int(path.name))


@pytest.mark.slow
def test_push_cache_compare_refuse(tmp_path: Path) -> None:
    everything = [stage for stage in STAGES if stage != "Baseline"]  # which TFX always marks as cached
    assert run(tmp_path) == everything
    assert os.listdir(tmp_path / "serving") == ["1"]
    assert evaluation.read(str(only(tmp_path, "Evaluator/evaluation"))).baseline is None

    assert run(tmp_path) == []  # neither a new baseline nor anything else

    assert run(tmp_path, sharpness=30.0) == everything[1:]
    assert sorted(os.listdir(tmp_path / "serving")) == ["1", "2"]
    read = evaluation.read(str(only(tmp_path, "Evaluator/evaluation")))
    assert read.baseline is not None
    assert read.baseline["accuracy"] == pytest.approx(read.accuracy.value)

    assert run(tmp_path, sharpness=30.0, min_accuracy=0.999) == ["Evaluator", "ServingCheck", "Pusher"]
    assert sorted(os.listdir(tmp_path / "serving")) == ["1", "2"]
    (reason,) = evaluation.failures(str(only(tmp_path, "Evaluator/evaluation")))
    assert reason.startswith("accuracy ")
    assert json.loads((only(tmp_path, "ServingCheck/blessing") / "serving_check.json").read_text())["blessed"]
    assert list(only(tmp_path, "Pusher/pushed_model").glob("*")) == []
