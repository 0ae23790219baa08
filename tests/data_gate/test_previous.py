"""Drift from run to run, in real pipelines: measured against accepted data only, and never in the way of the cache."""

from __future__ import annotations

from pathlib import Path

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.components import ExampleValidator, StatisticsGen
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx.types import Channel

from components.contracts import features as f
from components.data_gate.component import DataFindings, DataGate
from components.data_gate.previous import LatestAcceptedData
from components.errors import GateRefused
from components.statistics_gen.component import stats_options
from pipeline import ROOT
from tests.data_gate.factories import STOP, edited, write
from tests.data_gate.fakes import Source
from tests.datasets import digits
from tests.factories import BEAM_ARGS

SCHEMA = ROOT / "schema" / "digits" / "schema.pbtxt"


def run(root: Path, folder: Path, only: pipeline.RunOptions | None = None) -> list[str]:
    """Runs the stages up to the gate on the examples in `folder`; returns the stages that were executed."""
    source = Source(folder=str(folder))
    statistics = StatisticsGen(examples=source.outputs["examples"], stats_options=stats_options())
    schema = ImportSchemaGen(schema_file=str(SCHEMA))
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    previous = Resolver(
        strategy_class=LatestAcceptedData,
        statistics=statistics.outputs["statistics"],
        previous=Channel(type=DataFindings),
    ).with_id("PreviousData")
    gate = DataGate(
        examples=source.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        schema=schema.outputs["schema"],
        actions=STOP,
        max_rejected=0.01,
        max_dropped=0.1,
        previous=previous.outputs["previous"],
    )
    database = str(root / "metadata.sqlite")
    before = len(executions(database))
    BeamDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(root / "artifacts"),
            metadata_connection_config=metadata.sqlite_metadata_connection_config(database),
            components=[source, statistics, schema, validator, previous, gate],
            enable_cache=True,
            beam_pipeline_args=BEAM_ARGS,
        ),
        run_options=only,
    )
    return sorted(executions(database)[before:])


def executions(database: str) -> list[str]:
    """Stages that did run and complete, in the order of time; those served from cache or resolved are left out."""
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = database
    store = mlmd.MetadataStore(config)
    types = {kind.id: kind.name.split(".")[-1] for kind in store.get_execution_types()}
    complete = metadata_store_pb2.Execution.State.COMPLETE
    names = [types[e.type_id] for e in store.get_executions() if e.last_known_state == complete]
    return [name for name in names if name != "Resolver"]  # a question to ML Metadata, asked in every run


ALL = ["DataGate", "ExampleValidator", "ImportSchemaGen", "Source", "StatisticsGen"]


@pytest.mark.slow
def test_runs_one_after_the_other(tmp_path: Path) -> None:
    splits = {f.TRAIN: digits(0, 300), f.VALIDATION: digits(300, 500), f.TEST: digits(500, 700)}
    brighter = {split: [edited(record, brightness=0.9) for record in records] for split, records in splits.items()}
    brightest = {split: [edited(record, brightness=0.91) for record in records] for split, records in splits.items()}
    more = {**splits, f.TRAIN: digits(700, 1100)}
    for name, data in (("first", splits), ("bad", brighter), ("worse", brightest), ("more", more)):
        write(tmp_path / name, data)

    assert run(tmp_path, tmp_path / "first") == ALL
    assert run(tmp_path, tmp_path / "first") == []
    for name in ("bad", "worse"):  # the second of the two is like the first, which was refused: no excuse
        with pytest.raises(GateRefused) as refused:
            run(tmp_path, tmp_path / name)
        # The runner makes the exception again and adds to the message; the findings stay as they were.
        told = [finding["message"].split(": ")[:2] for finding in refused.value.findings]
        assert told == [["train against that of the data before", "brightness"]]
    assert run(tmp_path, tmp_path / "more") == ["DataGate", "ExampleValidator", "Source", "StatisticsGen"]
    assert run(tmp_path, tmp_path / "more") == []
    assert run(tmp_path, tmp_path / "first") == []

    # In a partial run the resolver is upstream and left out; its answer is taken from the run before.
    only = pipeline.RunOptions(from_nodes=["DataGate"], to_nodes=["DataGate"])
    assert run(tmp_path, tmp_path / "first", only) == []
