"""What an attempt at a stage begins with: labels for what it starts, and empty outputs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.platforms.vertex import labels
from pipeline.platforms.vertex.executors import attempt

OUTPUTS = "186556260430/digits-20261122-173308-78f4a3/Transform_-5950113757618241536"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(labels.VARIABLE, json.dumps({"vertex-ai-pipelines-run-billing-id": "8717"}))


def begin(root: Path, *beam_args: str) -> list[str]:
    artifacts = {"transform_graph": {"artifacts": [{"uri": f"{root}/{OUTPUTS}/transform_graph"}]}}
    outputs = {"artifacts": artifacts, "outputFile": f"{root}/{OUTPUTS}/executor_output.json"}
    message = json_format.ParseDict(outputs, pipeline_spec_pb2.ExecutorInput.Outputs())
    return attempt.begin(message, beam_args)


def test_dataflow_jobs_have_the_labels_of_the_run(tmp_path: Path) -> None:
    beam_args = begin(tmp_path, "--runner=DataflowRunner", "--labels=team=vision")
    assert set(PipelineOptions(beam_args).view_as(GoogleCloudOptions).labels) == {
        "team=vision",
        "vertex-ai-pipelines-run-billing-id=8717",
        "pipeline_run=digits-20261122-173308-78f4a3",
        "pipeline_stage=transform",
    }
    assert begin(tmp_path, "--runner=FnApiRunner") == ["--runner=FnApiRunner"]


def test_executors_find_the_labels_in_the_environment(tmp_path: Path) -> None:
    begin(tmp_path)
    assert json.loads(os.environ[labels.VARIABLE]) == labels.given()
    assert labels.given()[labels.STAGE] == "transform"


def test_a_stage_that_runs_again_does_not_mix_with_its_earlier_attempt(tmp_path: Path) -> None:
    folder = tmp_path / OUTPUTS / "transform_graph"
    folder.mkdir(parents=True)
    (folder / "data-00000-of-00002").write_text("half")
    (tmp_path / OUTPUTS / "executor_output.json").write_text("{}")  # of the driver
    begin(tmp_path)
    assert [path.name for path in (tmp_path / OUTPUTS).iterdir()] == ["executor_output.json"]


def test_a_label_is_short_enough_and_keeps_what_differs() -> None:
    name = labels.value("A.long.name-" * 10 + "20261122-173308-78f4a3")
    assert len(name) == 63
    assert name.endswith("-20261122-173308-78f4a3")
