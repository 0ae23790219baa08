"""A pushed model becomes known to Vertex AI: the real client, against a stand-in of its API on loopback."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from tfx.types import standard_artifacts

from components.contracts import evaluation as evaluations
from components.contracts.evaluation import CalibrationBin, ClassResult, Evaluation, SliceResult
from components.intervals import Estimate
from components.pusher import executor
from pipeline.platforms.vertex import cloud as clouds
from pipeline.platforms.vertex import labels, operations
from pipeline.platforms.vertex.executors import pusher
from pipeline.platforms.vertex.executors.evaluation import SCHEMA
from tests.pipeline.platforms.vertex.fakes import PROJECT, REGION, Fault, Refused
from tests.pipeline.platforms.vertex.serving_fakes import PARENT, VertexServing

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
ENDPOINT = {"to": "endpoint", "max_replicas": 3}
JOB = "gs://bucket/artifacts/cifar10/123456/cifar10-20261127-000000-abcdef"
HALF = Estimate(0.5, 0.1, 0.9)
MEASURED = Evaluation(
    pictures=4,
    confidence=0.95,
    metrics={
        "accuracy": Estimate(0.75, 0.3, 0.95),
        "top_2_accuracy": Estimate(1.0, 0.5, 1.0),
        "macro_f1": 0.7,
        "cross_entropy": Estimate(0.6, 0.2, 1.0),
    },
    classes=[
        ClassResult("cat", 3, 2, Estimate(2 / 3, 0.2, 0.9), Estimate(1.0, 0.3, 1.0), Estimate(0.8, 0.3, 1.0)),
        ClassResult("dog", 1, 2, Estimate(1.0, 0.2, 1.0), HALF, Estimate(2 / 3, 0.2, 0.9)),
        ClassResult("eel", 0, 0, None, None, None),
    ],
    slices=[SliceResult("brightness", "0.5 to 0.6", 2, HALF), SliceResult("size", "32 to 63 pixels", 4, HALF)],
    confusion_matrix=[[2, 1, 0], [0, 1, 0], [0, 0, 0]],
    unanswered=0,
    calibration=[CalibrationBin(0.0, 1.0, 4, 0.8, 0.75)],
    baseline={"accuracy": 0.5},
)


@pytest.fixture
def standin() -> VertexServing:
    return VertexServing()


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copying to a bucket and reading TFMA's files are matters of other tests."""
    versions = iter(range(1, 9))
    monkeypatch.setattr(executor, "push", lambda model, base: next(versions))
    monkeypatch.setattr(evaluations, "read", lambda uri, confidence: MEASURED)
    monkeypatch.setattr(operations, "PACE", 0.01)
    monkeypatch.setattr(clouds, "RETRY_DEADLINE", 2.0)
    monkeypatch.setenv(labels.VARIABLE, json.dumps({labels.RUN: "cifar10-1"}))


def push(tmp_path: Path, blessed: bool = True, base: str = "gs://bucket/serving", **deploy: Any) -> Any:
    """The executor, as Vertex AI's entry point calls it."""
    model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
    evaluated, pushed = standard_artifacts.ModelEvaluation(), standard_artifacts.PushedModel()
    model.uri, blessing.uri, pushed.uri = (str(tmp_path / name) for name in ("model", "blessing", "pushed"))
    evaluated.uri = f"{JOB}/Evaluator_-77/evaluation"
    (tmp_path / "model" / "Format-Serving").mkdir(parents=True, exist_ok=True)
    blessing.set_int_custom_property("blessed", int(blessed))
    vertex = {
        "project": PROJECT,
        "region": REGION,
        "labels": {"team": "vision"},
        "deploy": {"to": "registry", **deploy},
    }
    settings = {"name": "cifar10", "confidence": 0.95, "vertex": vertex}
    destination = {"filesystem": {"base_directory": base}}
    pusher.Executor().Do(
        {"model": [model], "model_blessing": [blessing], "evaluation": [evaluated]},
        {"pushed_model": [pushed]},
        {"push_destination": json.dumps(destination), "custom_config": json.dumps(settings)},
    )
    return pushed


def again(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """Have the next push find its model served as this version already, as after a stage that was stopped."""
    monkeypatch.setattr(executor, "push", lambda model, base: version)


def test_versions_of_one_model(cloud: VertexServing, tmp_path: Path) -> None:
    first, second = (push(tmp_path) for _ in range(2))
    name = f"{PARENT}/models/1"
    assert first.get_string_custom_property("registered_model") == f"{name}@1"
    assert second.get_string_custom_property("registered_model") == f"{name}@2"
    _, model = cloud.models[name]
    assert model.display_name == "cifar10"
    assert model.artifact_uri == "gs://bucket/serving/2"
    assert model.container_spec.image_uri == IMAGE
    assert dict(model.labels) == {"team": "vision", "pipeline": "cifar10", "pipeline_run": "cifar10-1"}
    assert model.version_description == (
        f"Pushed by the run cifar10-1 of the pipeline cifar10. Report: {JOB}/report/report.html"
    )
    assert cloud.aliases() == {"1": {"previous"}, "2": {"champion", "default"}}
    assert not cloud.count("endpoints")


def test_the_endpoint_serves_the_newest_alone(cloud: VertexServing, tmp_path: Path) -> None:
    push(tmp_path, **ENDPOINT)
    pushed = push(tmp_path, **ENDPOINT)
    (endpoint,) = cloud.endpoints.values()
    assert pushed.get_string_custom_property("endpoint") == endpoint.name
    assert cloud.serves() == {"2": 100}
    assert cloud.aliases() == {"1": {"previous"}, "2": {"champion", "default"}}
    (deployed,) = endpoint.deployed_models
    assert deployed.dedicated_resources.machine_spec.machine_type == "n1-standard-2"
    assert deployed.dedicated_resources.max_replica_count == 3


def test_a_candidate_takes_its_share_and_replaces_the_one_before(cloud: VertexServing, tmp_path: Path) -> None:
    for _ in range(3):
        push(tmp_path, traffic=10, **ENDPOINT)
    assert cloud.splits == [{"1": 100}, {"1": 90, "2": 10}, {"1": 100, "2": 0}, {"1": 90, "3": 10}]
    assert cloud.serves() == {"1": 90, "3": 10}
    assert cloud.aliases() == {"1": {"champion", "default"}, "3": {"candidate"}}


def test_a_share_that_grows(cloud: VertexServing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(tmp_path, **ENDPOINT)
    again(monkeypatch, 2)
    for traffic in (10, 10, 40, 100, 10):  # once it is champion it stays that
        push(tmp_path, traffic=traffic, **ENDPOINT)
    assert cloud.splits == [{"1": 100}, {"1": 90, "2": 10}, {"1": 60, "2": 40}, {"1": 0, "2": 100}]
    assert cloud.serves() == {"2": 100}
    assert len(cloud.deployments) == 2
    assert cloud.aliases() == {"1": {"previous"}, "2": {"champion", "default"}}


def test_an_endpoint_of_before_there_were_aliases(cloud: VertexServing, tmp_path: Path) -> None:
    push(tmp_path, **ENDPOINT)
    cloud.models[f"{PARENT}/models/1"][0].version_aliases = ["default"]
    push(tmp_path, traffic=20, **ENDPOINT)
    assert cloud.aliases() == {"1": {"champion", "default"}, "2": {"candidate"}}


@pytest.mark.slow
@pytest.mark.parametrize("traffic", [10, 100])
@pytest.mark.parametrize(
    "request_",
    ["models:upload", "POST .*/endpoints$", "PATCH .*", ":deployModel", ":undeployModel", "mergeVersionAliases"],
)
def test_a_lost_answer_is_not_followed_by_a_second_deployment(
    cloud: VertexServing, tmp_path: Path, request_: str, traffic: int
) -> None:
    cloud.slowness = 1
    for _ in range(3):
        if cloud.models or request_ != "models:upload":  # the operations of a model that is not there cannot be found
            cloud.faults = [Fault(request_, "lose")]
        push(tmp_path, traffic=traffic, **ENDPOINT)
    assert len(cloud.endpoints) == 1
    assert [len(versions) for versions in cloud.models.values()] == [3]
    assert cloud.serves() == ({"1": 90, "3": 10} if traffic == 10 else {"3": 100})


@pytest.mark.slow
@pytest.mark.parametrize(("before", "traffic"), [(0, 10), (1, 100), (2, 10)])
def test_a_stage_that_was_stopped_after_any_change_runs_again(
    cloud: VertexServing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, traffic: int
) -> None:
    new = str(before + 1)
    expected = {"1": 90, new: 10} if traffic == 10 and before else {new: 100}
    for changes in range(20):
        cloud.forget()
        for version in range(1, before + 2):
            again(monkeypatch, version)
            if version == before + 1:
                cloud.changes_left = changes
            with contextlib.suppress(exceptions.Forbidden):
                push(tmp_path, traffic=traffic, **ENDPOINT)
        stopped, cloud.changes_left = not cloud.changes_left, None
        assert push(tmp_path, traffic=traffic, **ENDPOINT).get_string_custom_property("endpoint")
        assert cloud.serves() == expected
        assert [one.model_version_id for one in cloud.deployments] == [*map(str, range(1, before + 1)), new]
        assert "candidate" in cloud.aliases()[new] or "champion" in cloud.aliases()[new]
        if not stopped:
            break
    assert changes > 5


def test_a_model_that_is_not_blessed_stays_unknown(cloud: VertexServing, tmp_path: Path) -> None:
    assert push(tmp_path, blessed=False).get_int_custom_property("pushed") == 0
    assert cloud.asked == []


def test_a_model_on_this_machine_is_not_registered(cloud: VertexServing, tmp_path: Path) -> None:
    pushed = push(tmp_path, base="/tmp/serving", **ENDPOINT)
    assert "takes models on gs:// only, and this one is in /tmp/serving/1" in pushed.get_string_custom_property(
        "not_registered"
    )
    assert cloud.asked == []


def test_the_evaluation_is_beside_the_version(cloud: VertexServing, tmp_path: Path) -> None:
    pushed = push(tmp_path)
    ((name, evaluation),) = cloud.evaluations.items()
    assert pushed.get_string_custom_property("model_evaluation") == name == f"{PARENT}/models/1@1/evaluations/1"
    assert evaluation.metrics_schema_uri == SCHEMA
    metrics, metadata = dict(evaluation.metrics), dict(evaluation.metadata)
    assert metrics["logLoss"] == 0.6
    assert [dict(one) for one in metrics["confusionMatrix"]["annotationSpecs"]] == [
        {"id": "0", "displayName": "cat"},
        {"id": "1", "displayName": "dog"},
        {"id": "2", "displayName": "eel"},
    ]
    assert [list(row) for row in metrics["confusionMatrix"]["rows"]] == MEASURED.confusion_matrix
    (overall,) = metrics["confidenceMetrics"]
    assert (overall["recallAt1"], overall["precisionAt1"], overall["f1ScoreMacro"]) == (0.75, 0.75, 0.7)
    assert metadata["report"] == f"{JOB}/report/report.html"
    assert metadata["pipeline_job_id"] == "cifar10-1"
    assert dict(metadata["metrics"]["accuracy"]) == {"value": 0.75, "low": 0.3, "high": 0.95}
    assert dict(metadata["baseline"]) == {"accuracy": 0.5}
    found = {(s.slice_.dimension, s.slice_.value): dict(s.metrics) for s in cloud.slices["1@1/evaluations/1"]}
    assert set(found) == {
        ("annotationSpec", "cat"),
        ("annotationSpec", "dog"),
        ("annotationSpec", "eel"),
        ("slice", "brightness 0.5 to 0.6"),
        ("slice", "size 32 to 63 pixels"),
    }
    (dog,) = found["annotationSpec", "dog"]["confidenceMetrics"]
    assert (dog["recall"], dog["precision"], dog["f1Score"]) == (1.0, 0.5, 2 / 3)
    (eel,) = found["annotationSpec", "eel"]["confidenceMetrics"]
    assert set(eel) == {"confidenceThreshold", "maxPredictions"}


def test_an_evaluation_is_imported_once(cloud: VertexServing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again(monkeypatch, 1)
    cloud.faults = [Fault("batchImport", Refused(500, "try later"))]
    assert push(tmp_path).get_string_custom_property("model_evaluation") == "not imported: 500 try later"
    name = push(tmp_path).get_string_custom_property("model_evaluation")
    push(tmp_path)
    assert list(cloud.evaluations) == [name]
    assert [len(slices) for slices in cloud.slices.values()] == [5]


def test_a_refused_evaluation_loses_no_model(cloud: VertexServing, tmp_path: Path) -> None:
    cloud.faults = [Fault("evaluations:import", Refused(400, "the metrics do not follow the schema"))]
    pushed = push(tmp_path, **ENDPOINT)
    why = "not imported: 400 the metrics do not follow the schema"
    assert pushed.get_string_custom_property("model_evaluation") == why
    assert cloud.serves() == {"1": 100}
