"""The spec: KFP's protos can read it, it has the shape that is written down, and it is made with no network."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import aiplatform_v1

from components import versions
from components.errors import UserError
from pipeline import ALL_STAGES, ROOT, fingerprint
from pipeline import config as configs
from pipeline.platforms.vertex import names, tpu
from pipeline.platforms.vertex.config import Vertex
from pipeline.platforms.vertex.platform import VertexPlatform
from tests.pipeline.platforms.vertex.shape import EVERYTHING, SHAPE, compiled, shape
from tests.pipeline.platforms.vertex.spec_runner import executors, pipeline_spec
from tests.trainer import my_networks

pytestmark = pytest.mark.slow  # imports TFX

PROJECT = "vertex.project=my-project"


@pytest.fixture(scope="module")
def everything() -> dict[str, Any]:
    return compiled(*EVERYTHING)


def constants(job: dict[str, Any], stage: str) -> dict[str, Any]:
    parameters = job["pipelineSpec"]["root"]["dag"]["tasks"][stage]["inputs"]["parameters"]
    return {key: given["runtimeValue"]["constant"] for key, given in parameters.items() if "runtimeValue" in given}


def custom_job(job: dict[str, Any], stage: str = "Trainer") -> tuple[dict[str, Any], aiplatform_v1.CustomJob]:
    """The stage's settings, and the job as Vertex AI's own type."""
    settings = json.loads(constants(job, stage)["custom_config"])
    described = settings["ai_platform_training_args"]
    assert described.pop("project") == "my-project"
    return settings, aiplatform_v1.CustomJob(described)


def test_the_shape_is_the_one_that_is_written_down(everything: dict[str, Any]) -> None:
    """After a change that is meant: `python -m tests.pipeline.platforms.vertex.shape`, and read the diff."""
    assert shape(everything) == yaml.safe_load(SHAPE.read_text())


def test_every_stage_of_a_local_run_is_there(everything: dict[str, Any]) -> None:
    tasks = set(pipeline_spec(everything).root.dag.tasks)
    resolvers = {"Baseline", "WarmStart"}
    of_resolvers = {f"{name}-{what}-resolver" for name in resolvers for what in ("model", "model-blessing")}
    assert tasks == (set(ALL_STAGES) - resolvers) | of_resolvers | {"Report"}


def test_a_spec_is_the_same_every_time(everything: dict[str, Any]) -> None:
    assert compiled(*EVERYTHING) == everything


def test_what_is_cached_hangs_on_the_code(everything: dict[str, Any]) -> None:
    curated = (ROOT / "schema" / "cifar10" / "schema.pbtxt").read_bytes()
    transform = ("components.transform.component.Executor", "components.transform.preprocessing.preprocessing_fn")
    driver = ("components.example_gen.driver.Driver", "pipeline.platforms.vertex.executors.example_gen_driver")
    for stage, code, content in (
        ("Transform", transform, b""),
        ("SchemaGen", (), curated),
        ("ExampleGen", ("components.example_gen.executor.Executor", *driver), b""),
    ):
        every = ("pipeline.platforms.vertex.executors.container", *code)
        assert constants(everything, stage)["code_fingerprint"] == fingerprint.of_code(every, content)
    assert constants(everything, "SchemaGen")["schema_file"] == "/pipeline/schema/cifar10/schema.pbtxt"


def test_caching_off() -> None:
    job = compiled(PROJECT, "vertex.caching=false")
    assert not any(task.caching_options.enable_cache for task in pipeline_spec(job).root.dag.tasks.values())


def test_nothing_that_runs_is_in_main_or_has_to_be_uploaded(everything: dict[str, Any]) -> None:
    text = json.dumps(everything)
    assert "__main__" not in text
    assert str(ROOT) not in text
    assert all("module_file" not in constants(everything, stage) for stage in ("Transform", "Trainer", "Evaluator"))


def test_beam_works_on_dataflow_with_the_image(everything: dict[str, Any]) -> None:
    args = executors(everything).executors["Transform_executor"].container.args
    image = "europe-west4-docker.pkg.dev/my-project/pipelines/image-classification:latest"
    assert {
        "--runner=DataflowRunner",
        "--project=my-project",
        "--region=europe-west4",
        "--temp_location=gs://my-bucket/tmp",
        "--max_num_workers=20",
        "--worker_machine_type=e2-standard-4",
        f"--sdk_container_image={image}",
        "--sdk_location=container",
        "--subnetwork=regions/europe-west4/subnetworks/default",
        "--no_use_public_ips",
        "--labels=team=vision",
    } <= set(args)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), ["--direct_running_mode=multi_processing", "--direct_num_workers=4"]),
        (("vertex.cpu=8", "vertex.memory_gb=12"), ["--direct_running_mode=multi_processing", "--direct_num_workers=6"]),
        (("vertex.cpu=1",), ["--direct_running_mode=in_memory", "--direct_num_workers=1"]),
        (("beam.args=[--runner=FnApiRunner, --direct_num_workers=3]",), ["--direct_num_workers=3"]),
    ],
)
def test_without_dataflow_beam_works_in_the_stage_on_all_its_cores(
    settings: tuple[str, ...], expected: list[str]
) -> None:
    config, _ = configs.load("cifar10", None, (PROJECT, *settings))
    args = VertexPlatform(config).beam_args
    assert args == ["--sdk_container_image=" + names.image(config), "--runner=FnApiRunner", *expected]


def test_the_job_acts_for_whom_and_where_it_is_told(everything: dict[str, Any]) -> None:
    _, job = custom_job(everything)
    assert job.job_spec.service_account == "runner@my-project.iam.gserviceaccount.com"
    assert job.job_spec.network == "projects/1/global/networks/default"
    assert job.encryption_spec.kms_key_name.endswith("/cryptoKeys/k")
    assert job.labels == {"team": "vision"}


def test_trainer_and_tuner_are_attached_to_a_network_and_the_trainer_logs_to_tensorboard() -> None:
    attachment = "projects/p/regions/us-central1/networkAttachments/a"
    board = "projects/p/locations/us-central1/tensorboards/17"
    account = "runner@my-project.iam.gserviceaccount.com"
    settings = {"network_attachment": attachment, "tensorboard": board, "service_account": account}
    job = compiled(PROJECT, "tuner.trials=8", *(f"vertex.{key}={value}" for key, value in settings.items()))
    (_, training), (_, search) = custom_job(job), custom_job(job, "Tuner")
    assert (training.job_spec.tensorboard, search.job_spec.tensorboard) == (board, "")
    for each in (training, search):
        assert each.job_spec.psc_interface_config.network_attachment == attachment
        assert (each.job_spec.network, each.job_spec.service_account) == ("", account)


MACHINES = {
    "cpu": ((), ("cpu", "n1-standard-8", "ACCELERATOR_TYPE_UNSPECIFIED", 0, "", [1], "")),
    "gpu": (
        ("accelerator=NVIDIA_TESLA_T4", "accelerator_count=2"),
        ("gpu", "n1-standard-8", "NVIDIA_TESLA_T4", 2, "", [1], "-gpu"),
    ),
    "TPU v3": (
        ("machine_type=cloud-tpu", "accelerator=TPU_V3", "accelerator_count=8"),
        ("tpu", "cloud-tpu", "TPU_V3", 8, "", [1], "-tpu"),
    ),
    "TPU v5e": (
        ("machine_type=ct5lp-hightpu-4t", "tpu_topology=2x2"),
        ("tpu", "ct5lp-hightpu-4t", "ACCELERATOR_TYPE_UNSPECIFIED", 0, "2x2", [1], "-tpu"),
    ),
    "workers": (
        ("accelerator=NVIDIA_L4", "machine_type=g2-standard-8", "workers=4"),
        ("multi_worker", "g2-standard-8", "NVIDIA_L4", 1, "", [1, 3], "-gpu"),
    ),
}


@pytest.mark.parametrize(("settings", "expected"), MACHINES.values(), ids=MACHINES)
def test_the_machines_of_the_trainer(settings: tuple[str, ...], expected: tuple[Any, ...]) -> None:
    if expected[0] == "tpu" and versions.lane() != "1.16":
        with pytest.raises(UserError, match=r"this is TFX 1\.21, whose TensorFlow drives none: install TFX 1\.16 \("):
            compiled(PROJECT, *(f"vertex.trainer.{setting}" for setting in settings))
        return
    config, job = custom_job(compiled(PROJECT, *(f"vertex.trainer.{setting}" for setting in settings)))
    pools = job.job_spec.worker_pool_specs
    machine = pools[0].machine_spec
    assert all(pool.machine_spec == machine for pool in pools)
    (image,) = {pool.container_spec.image_uri for pool in pools}
    # TensorFlow drives a v5e by PJRT alone, and the others without it.
    variables = {variable.name: variable.value for variable in pools[0].container_spec.env}
    assert variables == (tpu.PJRT if machine.tpu_topology else {})
    assert expected == (
        config["strategy"],
        machine.machine_type,
        machine.accelerator_type.name,
        machine.accelerator_count,
        machine.tpu_topology,
        [pool.replica_count for pool in pools],
        image.partition("image-classification")[2].removesuffix(":latest"),
    )


def test_a_training_ends_after_a_day_and_not_after_the_seven_of_the_api() -> None:
    _, job = custom_job(compiled(PROJECT))
    scheduling = job.job_spec.scheduling
    assert (scheduling.timeout, scheduling.strategy) == (timedelta(days=1), scheduling.Strategy.STRATEGY_UNSPECIFIED)
    assert not scheduling.restart_job_on_worker_restart
    assert not job.job_spec.enable_web_access


def test_a_training_on_spot_machines_starts_again_for_as_long_as_it_may() -> None:
    settings = ("spot=true", "timeout_hours=1.5", "web_access=true")
    _, job = custom_job(compiled(PROJECT, *(f"vertex.trainer.{setting}" for setting in settings)))
    scheduling = job.job_spec.scheduling
    assert (scheduling.timeout, scheduling.strategy) == (timedelta(minutes=90), scheduling.Strategy.SPOT)
    assert scheduling.restart_job_on_worker_restart
    assert job.job_spec.enable_web_access


def test_several_workers_start_again_together() -> None:
    settings = MACHINES["workers"][0]
    _, job = custom_job(compiled(PROJECT, *(f"vertex.trainer.{setting}" for setting in settings)))
    assert job.job_spec.scheduling.restart_job_on_worker_restart


def test_a_search_is_on_one_machine_of_the_trainer() -> None:
    settings, _ = MACHINES["workers"]
    job = compiled(PROJECT, "tuner.trials=8", *(f"vertex.trainer.{setting}" for setting in settings))
    (config, search), (_, training) = custom_job(job, "Tuner"), custom_job(job)
    assert (config["strategy"], config["trials"], list(config["space"])) == (
        "gpu",
        8,
        ["label_smoothing", "learning_rate"],
    )
    (pool,) = search.job_spec.worker_pool_specs
    assert pool == training.job_spec.worker_pool_specs[0]
    assert pool.replica_count == 1


def test_a_search_has_a_machine_for_each_parallel_trial_and_no_more_than_trials() -> None:
    settings = ("vertex.trainer.parallel_trials=4", "vertex.trainer.accelerator=NVIDIA_TESLA_T4")
    for trials, counts in ((8, [1, 3]), (3, [1, 2])):
        job = compiled(PROJECT, f"tuner.trials={trials}", *settings)
        (config, search), (_, training) = custom_job(job, "Tuner"), custom_job(job)
        assert config["strategy"] == "gpu"
        assert [pool.replica_count for pool in search.job_spec.worker_pool_specs] == counts
        assert search.job_spec.scheduling.restart_job_on_worker_restart
        assert [pool.replica_count for pool in training.job_spec.worker_pool_specs] == [1]


def test_a_network_of_the_users_travels_in_the_spec() -> None:
    job = compiled(PROJECT, f"trainer.network={my_networks.__file__}:small_cnn", "tuner.trials=2", preset="digits")
    for stage in ("Trainer", "Tuner"):
        settings, _ = custom_job(job, stage)
        assert settings["network_code"] == Path(my_networks.__file__).read_text()
    assert json.loads(json.dumps(job))["runtimeConfig"]["parameterValues"]["learning_rate"] == 0.001


def test_a_password_is_not_in_the_spec() -> None:
    assert "secret" not in json.dumps(compiled(PROJECT, "metadata.url=mysql://me:secret@host/mlmd"))


@pytest.mark.parametrize(
    ("to", "module"),
    [
        ("bucket", "components.pusher.executor"),
        ("registry", "pipeline.platforms.vertex.executors.pusher"),
        ("endpoint", "pipeline.platforms.vertex.executors.pusher"),
    ],
)
def test_where_the_model_goes(to: str, module: str) -> None:
    job = compiled(PROJECT, f"vertex.deploy.to={to}")
    assert f"{module}.Executor" in executors(job).executors["Pusher_executor"].container.args
    config = constants(job, "Pusher")
    assert json.loads(config["push_destination"]) == {
        "filesystem": {"base_directory": "gs://my-project-pipelines/serving/cifar10"}
    }
    inputs = job["pipelineSpec"]["root"]["dag"]["tasks"]["Pusher"]["inputs"]["artifacts"]
    assert ("evaluation" in inputs) == (to != "bucket")
    if to != "bucket":
        settings = json.loads(config["custom_config"])
        assert settings["name"] == "cifar10"
        assert Vertex(**settings["vertex"]).deploy.to == to


def test_data_on_this_machine_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"image")
    with pytest.raises(UserError, match=r"gcloud storage cp -r .* gs://my-project-pipelines/data/"):
        compiled(PROJECT, f"data.source={tmp_path}", preset="small")
    with pytest.raises(UserError, match=r"nothing is downloaded on Vertex AI; .* gs://my-project-pipelines/data/"):
        compiled(PROJECT, "data.source=https://example.com/pets.zip", preset="small")
    with pytest.raises(UserError, match="nothing is downloaded on Vertex AI"):
        compiled(PROJECT, "data.source=tfds:beans", "name=beans", preset="small")  # its own needs the package


def test_a_listed_gate_is_a_parameter_of_the_run() -> None:
    gates = "[{metric: macro_f1, minimum: 0.75}, {metric: accuracy, minimum: 0.5}]"
    job = compiled(PROJECT, f"evaluator.gates={gates}")
    values = job["runtimeConfig"]["parameterValues"]
    assert (values["macro_f1_minimum"], values["min_accuracy"]) == (0.75, 0.5)
    inputs = job["pipelineSpec"]["root"]["dag"]["tasks"]["Evaluator"]["inputs"]["parameters"]
    assert inputs["macro_f1_minimum"] == {"componentInputParameter": "macro_f1_minimum"}


def test_weights_that_no_job_can_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.h5").write_bytes(b"weights")
    on_cloud = (PROJECT, "data.source=gs://bucket/photos.zip", "trainer.network=resnet50")
    copy = r"gcloud storage cp FILE gs://my-project-pipelines/weights/`, and set trainer\.weights to gs://"
    with pytest.raises(UserError, match=rf"nothing is downloaded on Vertex AI.*download https://.*{copy}"):
        compiled(*on_cloud, preset="photos")
    with pytest.raises(UserError, match=rf"trainer\.weights '.*mine\.h5' is on this machine; .*{copy}"):
        compiled(*on_cloud, f"trainer.weights={tmp_path}/mine.h5", preset="photos")
    file = f"file://{tmp_path}/mine.h5"  # a remote path that is there
    settings, _ = custom_job(compiled(*on_cloud, f"trainer.weights={file}", preset="photos"))
    assert (settings["weights_file"], settings["weights_published"]) == (file, False)
    assert settings["weights_sha256"] == hashlib.sha256(b"weights").hexdigest()


def test_a_schema_outside_the_image_is_refused(tmp_path: Path) -> None:
    shutil.copy(ROOT / "schema" / "cifar10" / "schema.pbtxt", tmp_path)
    with pytest.raises(UserError, match="is not in the image"):
        compiled(PROJECT, f"schema_file={tmp_path / 'schema.pbtxt'}")


def test_the_command_needs_no_network_and_no_account(tmp_path: Path) -> None:
    output = tmp_path / "spec" / "pipeline.json"
    command = [sys.executable, "-m", "pipeline", "vertex", "compile", "--preset", "cifar10", "--output", str(output)]
    command += ["--tune", "3", "--warm-start"]
    # Linux gives the process a network of its own, without anything in it; where that is not allowed, a proxy that
    # is not there.
    alone = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode == 0:
        command = [*alone, *command]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GOOGLE_")} | nowhere
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "loading TFX\n"
    assert done.stdout.splitlines() == [
        f"{output}: 17 tasks, image us-central1-docker.pkg.dev/PROJECT/pipelines/image-classification:latest",
        "  data                       gs://PROJECT-pipelines/data/cifar-10-binary.tar.gz",
        "  max_rejected               0.01",
        "  max_dropped                0.1",
        "  epochs                     15",
        "  batch_size                 500",
        "  learning_rate              0.12",
        "  min_accuracy               0.86",
        "  min_class_recall           0.7",
        "  max_drop                   0.01",
        "  accuracy_majority_minimum  0.0",
        "vertex.project is not set: the spec names PROJECT in its place and is for reading only",
    ]
    pipeline_spec(json.loads(output.read_text()))
