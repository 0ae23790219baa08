"""Which model is the baseline, in real runs of a chain in miniature on TFX's BeamDagRunner."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.factories import BEAM_ARGS

pytestmark = pytest.mark.slow


class Chain:
    """Train, Baseline and Evaluate under one run directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = str(folder / "metadata.db")

    def run(self, recipe: str, blessed: bool = True, name: str = "digits") -> tuple[str, int]:
        """Trains by `recipe`; returns (the recipe of the baseline it was evaluated against, Evaluate executions)."""
        from tfx.dsl.components.common.resolver import Resolver
        from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
        from tfx.orchestration.metadata import sqlite_metadata_connection_config
        from tfx.orchestration.pipeline import Pipeline
        from tfx.types import Channel
        from tfx.types.standard_artifacts import Model, ModelBlessing

        from components.evaluator.baseline import LatestOtherBlessedModelStrategy
        from tests.evaluator.fakes import Evaluate, Train

        train = Train(recipe=recipe)
        baseline = Resolver(
            strategy_class=LatestOtherBlessedModelStrategy,
            candidate=train.outputs["model"],
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
        ).with_id("Baseline")
        evaluate = Evaluate(
            model=train.outputs["model"], baseline_model=baseline.outputs["model"], blessed=int(blessed)
        )
        pipeline = Pipeline(
            name,
            str(self.folder / "artifacts" / name),
            components=[train, baseline, evaluate],
            enable_cache=True,
            metadata_connection_config=sqlite_metadata_connection_config(self.database),
            beam_pipeline_args=BEAM_ARGS,
        )
        BeamDagRunner().run(pipeline)
        return self._evaluated(name)

    def _evaluated(self, name: str) -> tuple[str, int]:
        """Of the latest run of pipeline `name`: the baseline used; and how often Evaluate has run in all."""
        import ml_metadata as mlmd
        from ml_metadata.proto import metadata_store_pb2 as pb

        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = self.database
        store = mlmd.MetadataStore(config)
        context = store.get_context_by_type_and_name("pipeline", name)
        executions = [
            e
            for e in store.get_executions_by_context(context.id)
            if e.type_id == store.get_execution_type("tests.evaluator.fakes.Evaluate").id
        ]
        latest = max(executions, key=lambda e: e.id)
        outputs = [
            event.artifact_id
            for event in store.get_events_by_execution_ids([latest.id])
            if event.type == pb.Event.OUTPUT
        ]
        (blessing,) = store.get_artifacts_by_id(outputs)
        complete = [e for e in executions if e.last_known_state == pb.Execution.COMPLETE]
        return blessing.custom_properties["baseline_recipe"].string_value, len(complete)


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


def test_a_second_identical_run_has_the_same_baseline_and_evaluates_nothing(chain: Chain) -> None:
    assert chain.run("a") == ("none", 1)
    assert chain.run("a") == ("none", 1)
    assert chain.run("b") == ("a", 2)
    assert chain.run("b") == ("a", 2)


def test_the_model_blessed_last_is_the_baseline_even_if_it_is_older(chain: Chain) -> None:
    chain.run("a")
    chain.run("b")
    assert chain.run("a") == ("b", 3)  # a is evaluated again, against b, and blessed again
    assert chain.run("c") == ("a", 4)


def test_a_refused_model_is_no_baseline(chain: Chain) -> None:
    chain.run("a")
    chain.run("b", blessed=False)
    assert chain.run("c") == ("a", 3)


def test_a_model_whose_files_are_gone_is_no_baseline(chain: Chain) -> None:
    chain.run("a")
    chain.run("b")
    (latest,) = (p for p in chain.folder.glob("artifacts/digits/Train/model/*") if _recipe(p) == "b")
    shutil.rmtree(latest)
    assert chain.run("c") == ("a", 3)


def test_another_data_set_in_the_same_run_directory_has_its_own_baseline(chain: Chain) -> None:
    chain.run("a")
    assert chain.run("b", name="flowers") == ("none", 1)
    assert chain.run("c", name="flowers") == ("b", 2)
    assert chain.run("d") == ("a", 2)


def _recipe(model: Path) -> str:
    return (model / "Format-Serving" / "saved_model.pb").read_text()
