"""The stages do their work when Vertex AI's entry point calls them with what the spec says: on the digits, here."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from components.contracts import counts, evaluation
from components.contracts import features as f
from components.contracts.counts import COUNTS_FILE
from components.contracts.findings import FINDINGS_FILE
from components.contracts.metrics import value_of
from components.contracts.training import HISTORY_FILE
from components.errors import UserError
from pipeline import ROOT, fingerprint
from pipeline import config as configs
from pipeline.platforms.vertex import compile, labels
from pipeline.platforms.vertex.executors import container
from pipeline.platforms.vertex.executors import evaluation as model_evaluation
from pipeline.platforms.vertex.executors.report import page as report_page
from pipeline.platforms.vertex.executors.trainer import TrainerInJob
from tests.pipeline.platforms.vertex.spec_runner import BILLING, JOB, NUMBER, Cloud
from tests.report.page import Page

pytestmark = pytest.mark.slow

DATA_STAGES = ("ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataGate", "Transform")
MODEL_STAGES = ("Trainer", "Evaluator", "ServingCheck", "Pusher", "Report")
SMALL = ("trainer.width=8", "transform.size=16", "vertex.region=europe-west4", "vertex.cpu=1")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Any:
    config, _ = configs.load("digits", None, SMALL)
    root = tmp_path_factory.mktemp("cloud")
    nothing: dict[str, Any] = {"PreviousData": {}, "Baseline-model-resolver": {}}
    with pytest.MonkeyPatch.context() as patch:
        run = {"epochs": 3, "batch_size": 32, "learning_rate": 0.05, "min_accuracy": 0.4, "min_class_recall": 0.0}
        cloud = Cloud(compile.spec(config), root, patch, **run)
        cloud.run(*DATA_STAGES, *MODEL_STAGES, found=nothing)
        yield cloud


def report(cloud: Cloud) -> Page:
    return Page(Path(cloud.made["Report"]["report"]["uri"]) / "report.html")


def read(cloud: Cloud, task: str, key: str, name: str) -> Any:
    return json.loads((Path(cloud.made[task][key]["uri"]) / name).read_text())


def records(cloud: Cloud) -> dict[str, bytes]:
    """The content of the files that ExampleGen wrote."""
    folder = Path(cloud.made["ExampleGen"]["examples"]["uri"])
    return {str(file.relative_to(folder)): gzip.decompress(file.read_bytes()) for file in folder.rglob("*.gz")}


def test_the_driver_finds_out_what_the_data_is(ran: Cloud) -> None:
    examples = ran.made["ExampleGen"]["examples"]["metadata"]
    assert examples["input_fingerprint"].startswith("sha256:")
    splits = read(ran, "ExampleGen", "examples", COUNTS_FILE)["splits"]
    assert sum(splits[f.TRAIN].values()) == 1438


def test_the_gate_lets_the_data_pass(ran: Cloud) -> None:
    assert all(finding["action"] == "warn" for finding in read(ran, "DataGate", "findings", FINDINGS_FILE))


def test_the_custom_job_trains_with_the_parameters_of_the_run(ran: Cloud) -> None:
    history = read(ran, "Trainer", "model_run", HISTORY_FILE)
    assert len(history) == 3
    assert max(epoch["learning_rate"] for epoch in history) <= 0.05
    (job,) = ran.jobs
    assert job.name.startswith("projects/PROJECT/locations/europe-west4/")
    assert job.job_spec.worker_pool_specs[0].machine_spec.machine_type == "n1-standard-8"
    run = {labels.RUN: JOB, labels.STAGE: "trainer"}
    assert {**BILLING, **run}.items() <= dict(job.labels).items()


def test_the_report_has_the_numbers_of_the_run_for_experiments(ran: Cloud) -> None:
    """As fields of an artifact of the type that Vertex AI reads them from."""
    given = ran.tasks.invocation("Report", ran.made, ran.root)["outputs"]["artifacts"]["report"]["artifacts"][0]
    assert given["type"] == {"schemaTitle": "system.Metrics", "schemaVersion": "0.0.1"}
    shown = ran.made["Report"]["report"]["metadata"]
    measured = evaluation.read(ran.made["Evaluator"]["evaluation"]["uri"]).metrics
    assert {"accuracy", "macro_f1", "cross_entropy", "expected_calibration_error"} <= set(measured)
    assert {name: shown[name] for name in measured} == {name: value_of(of) for name, of in measured.items()}
    assert shown["blessed"] == 1


def test_the_model_is_judged_pushed_and_served(ran: Cloud) -> None:
    assert ran.made["Evaluator"]["blessing"]["metadata"]["blessed"] == 1
    assert ran.made["ServingCheck"]["blessing"]["metadata"]["blessed"] == 1
    pushed = ran.made["Pusher"]["pushed_model"]["metadata"]
    assert pushed["pushed"] == 1
    assert pushed["pushed_destination"] == str(ran.root / "bucket" / "serving" / "digits" / "1")
    assert f.SERVING_DEFAULT in tf.saved_model.load(pushed["pushed_destination"]).signatures


def test_a_stage_on_all_cores_of_its_machine_writes_the_same(
    ran: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = configs.load("digits", None, (*SMALL, "vertex.cpu=2"))
    cloud = Cloud(compile.spec(config), tmp_path, monkeypatch)
    cloud.run("ExampleGen")
    assert records(cloud) == records(ran)


def test_the_report_shows_the_artifacts(ran: Cloud) -> None:
    page = report(ran)
    evaluated = ran.made["Evaluator"]["evaluation"]["uri"]
    linked = Path(report_page(evaluated))
    assert linked == ran.root / "bucket" / NUMBER / JOB / "report" / "report.html"
    assert linked.read_text() == (Path(ran.made["Report"]["report"]["uri"]) / "report.html").read_text()
    measured = evaluation.read(evaluated)
    known = model_evaluation.message(measured, {model_evaluation.SOURCE: evaluated})
    assert known.metrics["logLoss"] == measured.metrics["cross_entropy"].value
    assert known.metadata["metrics"]["accuracy"]["value"] == measured.accuracy.value
    assert len(model_evaluation.slices(measured)) == len(measured.classes) + len(measured.slices)
    assert set(page.figures["accuracy"]) == {measured.accuracy.value}
    assert set(page.figures["test.pictures"]) == {179}
    assert page.figures["counts.train"] == [1438, 1438]
    assert sorted(page.figures["class.recall"]) == sorted(one.recall.value for one in measured.classes if one.recall)
    assert [one.name for one in measured.classes] == list("0123456789")
    assert len(page.figures["epoch.loss"]) == 3
    assert "digits: " in page.text
    assert "passed every gate" in page.text
    assert "It passed every gate and the serving check." in page.text
    assert "min_accuracy: 0.4" in page.text
    assert "stage.seconds" not in page.figures
    assert not any(str(ran.root) in str(of.get("href")) for of in page.tags("a"))


def test_a_resolver_finds_what_is_of_its_own_pipeline(
    ran: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two pipelines in one region: the second has no baseline, no model to begin with, and no earlier data."""
    resolvers = ("PreviousData", "Baseline-model-resolver", "WarmStart-model-resolver")
    region = ran.region()
    for name, found in (("digits", ["previous", "model", "model"]), ("flowers", [])):
        config, _ = configs.load("digits", None, (*SMALL, "warm_start=true", f"name={name}"))
        cloud = Cloud(compile.spec(config), tmp_path / name, monkeypatch)
        cloud.resolve(region)
        assert [key for resolver in resolvers for key in cloud.made[resolver]] == found


def invocation(ran: Cloud, examples: Path) -> pb.ExecutorInput:
    model = {**ran.made["Trainer"]["model"], "type": {"schemaTitle": "tfx.Model"}}
    result = pb.ExecutorInput()
    json_format.ParseDict({"artifacts": [model]}, result.inputs.artifacts["baseline_model"], ignore_unknown_fields=True)
    result.inputs.artifacts["examples"].artifacts.add(uri=str(examples))
    result.outputs.artifacts["evaluation"].artifacts.add(uri="gs://bucket/evaluation")
    return result


def test_a_model_of_other_classes_or_another_pipeline_is_no_baseline(
    ran: Cloud, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    same = invocation(ran, Path(ran.made["ExampleGen"]["examples"]["uri"]))
    container.mark_and_select(same, "digits")
    assert same.inputs.artifacts["baseline_model"].artifacts
    assert dict(same.outputs.artifacts["evaluation"].artifacts[0].metadata) == {"pipeline": "digits"}
    container.mark_and_select(same, "flowers")
    assert not same.inputs.artifacts["baseline_model"].artifacts
    assert "is left out: it is of the pipeline 'digits', and this is 'flowers'" in caplog.text
    counts.write(str(tmp_path), counts.Counts(class_names=["ant", "bee", "fly"]))
    other = invocation(ran, tmp_path)
    container.mark_and_select(other, "digits")
    assert not other.inputs.artifacts["baseline_model"].artifacts
    assert "is left out: it has 10 classes, and they are not the 3 of the data" in caplog.text


def test_an_image_with_other_code_ends_each_stage(ran: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of one module differs between the machine that compiled and the image."""
    config, _ = configs.load("digits", None, SMALL)
    job = compile.spec(config)
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    tasks["SchemaGen"]["inputs"]["parameters"][container.SCHEMA_SHA256]["runtimeValue"]["constant"] = "0" * 64
    cloud = Cloud(job, tmp_path, monkeypatch)
    cloud.made |= ran.made
    with pytest.raises(UserError, match=r"schema\.pbtxt is not the one that the pipeline was compiled with: rebuild"):
        cloud.run("SchemaGen")
    stale = tmp_path / "stale.py"
    stale.write_text((ROOT / "components/contracts/counts.py").read_text() + "\n# before the last commit\n")
    files = fingerprint.files

    def of_image(names: Any) -> dict[str, Path]:
        return {name: stale if name == "components.contracts.counts" else file for name, file in files(names).items()}

    monkeypatch.setattr(fingerprint, "files", of_image)
    for stage in ("ExampleGen", "Trainer"):
        with pytest.raises(UserError, match=r"this image has other code than the machine that compiled .*: rebuild"):
            cloud.run(stage)
    properties = tasks["Trainer"]["inputs"]["parameters"]
    with pytest.raises(UserError, match="rebuild the image"):
        TrainerInJob().Do({}, {}, {"code": properties["code"]["runtimeValue"]["constant"]})
    with pytest.raises(UserError, match=r"compiled by an earlier version than this image's: compile it again"):
        TrainerInJob().Do({}, {}, {})


def test_the_thresholds_of_the_run_decide(ran: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same spec and model, with a floor that it does not reach; beside a baseline, as from the second run on."""
    blessed = ran.made["Trainer"]["model"]
    monkeypatch.setitem(ran.tasks.parameters, "min_accuracy", 1.0)
    monkeypatch.setattr(ran, "root", ran.root / "again")
    ran.run("Evaluator", "Pusher", "Report", found={"Baseline-model-resolver": {"model": blessed}})
    assert ran.made["Evaluator"]["blessing"]["metadata"]["blessed"] == 0
    assert ran.made["Pusher"]["pushed_model"]["metadata"]["pushed"] == 0
    page = report(ran)
    assert "the model was not pushed" in page.text
    assert "at least 100.00%" in page.text
    beside = {file.name for file in Path(ran.made["Report"]["report"]["uri"]).iterdir()}
    assert beside == {"report.html", "predictions.csv", "errors.csv"}
    assert "Compared with the baseline" in page.text


def test_a_search_and_a_warm_start(ran: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = "tuner.space={learning_rate: [0.01, 0.02], batch_size: [16, 17]}"
    config, _ = configs.load("digits", None, (*SMALL, "tuner.trials=2", space, "warm_start=true"))
    cloud = Cloud(compile.spec(config), tmp_path, monkeypatch, epochs=1, batch_size=32, learning_rate=0.05)
    cloud.run(
        "Tuner",
        "Trainer",
        "Report",
        found={**ran.made, "WarmStart-model-resolver": {"model": ran.made["Trainer"]["model"]}},
    )
    trials = read(cloud, "Tuner", "tuner_results", "tuner_results.json")
    assert len(trials) == 2
    assert report(cloud).figures["trial.score"] == [trial["score"] for trial in trials]
    assert [job.display_name for job in cloud.jobs] == ["digits-tuner", "digits-trainer"]
    (epoch,) = read(cloud, "Trainer", "model_run", HISTORY_FILE)
    assert epoch["val_accuracy"] == trials[0]["score"]  # the best trial again, beside another learning rate of the run
    assert epoch["val_accuracy"] > read(ran, "Trainer", "model_run", HISTORY_FILE)[0]["val_accuracy"]
    # The first run of all: there is no model to begin with.
    cloud.run("Trainer", found={"WarmStart-model-resolver": {}})
    (cold,) = read(cloud, "Trainer", "model_run", HISTORY_FILE)
    assert cold["val_accuracy"] < epoch["val_accuracy"]
