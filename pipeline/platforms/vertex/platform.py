"""Vertex AI Pipelines as a platform: an image for every stage, Dataflow for Beam, a custom job for the Trainer."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from google.cloud.aiplatform_v1 import CustomJob
from ml_metadata.proto import metadata_store_pb2
from tfx import components as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer.executor import TRAINING_ARGS_KEY
from tfx.types import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter
from tfx.types.experimental import simple_artifacts

from components import files
from components.data_gate.component import DataGate, DataGateSpec
from components.errors import UserError
from components.pusher.executor import Executor as AtomicPush
from components.report.component import Report
from components.versions import COMPILED_WITH
from pipeline import ROOT, curated_schema
from pipeline.config import Beam, Config
from pipeline.platforms.vertex import names, tpu
from pipeline.platforms.vertex.executors.report import Executor as LinkedReport
from pipeline.platforms.vertex.executors.trainer import TrainerJob, TunerJob
from pipeline.platforms.vertex.pusher import RegisteringPusher
from pipeline.stages import latest_blessed_model, push_destination


class _DataGateSpec(DataGateSpec):
    # Vertex AI finds artifacts by the types that TFX ships, and no other stage here writes a File.
    INPUTS = {**DataGateSpec.INPUTS, "previous": ChannelParameter(type=simple_artifacts.File, optional=True)}  # noqa: RUF012
    OUTPUTS = {"findings": ChannelParameter(type=simple_artifacts.File)}  # noqa: RUF012


class _DataGate(DataGate):
    SPEC_CLASS = _DataGateSpec


class _Tuner(tfx.Tuner):
    EXECUTOR_SPEC = ExecutorClassSpec(TunerJob)


class _Trainer(tfx.Trainer):
    EXECUTOR_SPEC = ExecutorClassSpec(TrainerJob)


class _Report(Report):
    EXECUTOR_SPEC = ExecutorClassSpec(LinkedReport)


class VertexPlatform:
    """See pipeline/platform.py."""

    data_gate = _DataGate
    tuner = _Tuner
    trainer = _Trainer

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def pipeline_name(self) -> str:
        return names.pipeline(self.config)

    @property
    def pipeline_root(self) -> str:
        return f"{names.bucket(self.config)}/artifacts/{self.pipeline_name}"

    @property
    def metadata_connection(self) -> metadata_store_pb2.ConnectionConfig | None:
        """Return None: Vertex AI has its own ML Metadata."""
        return None

    @property
    def caching(self) -> bool:
        return self.config.vertex.caching

    @property
    def beam_args(self) -> list[str]:
        """Return the arguments of Dataflow or the stage's machine. Workers run the image: nothing is shipped."""
        vertex, dataflow = self.config.vertex, self.config.vertex.dataflow
        image = f"--sdk_container_image={names.image(self.config)}"
        if not dataflow.max_workers:
            return [image, *self._on_all_cores()]
        optional = {
            "--service_account_email": vertex.service_account,
            "--dataflow_kms_key": vertex.encryption_key,
            "--subnetwork": dataflow.subnetwork,
        }
        return [
            "--runner=DataflowRunner",
            f"--project={names.project(self.config)}",
            f"--region={vertex.region}",
            f"--temp_location={names.bucket(self.config)}/tmp",
            f"--staging_location={names.bucket(self.config)}/tmp",
            f"--max_num_workers={dataflow.max_workers}",
            f"--worker_machine_type={dataflow.machine_type}",
            f"--disk_size_gb={dataflow.disk_gb}",
            "--experiments=use_runner_v2",
            image,
            "--sdk_location=container",
            *(f"{flag}={value}" for flag, value in optional.items() if value),
            *(["--no_use_public_ips"] if dataflow.subnetwork else []),
            *(f"--labels={key}={value}" for key, value in sorted(vertex.labels.items())),
        ]

    def _on_all_cores(self) -> tuple[str, ...]:
        """Return Beam's arguments for the machine of a stage, all of which is paid for; beam.args if they were set.

        Each process imports TensorFlow, for which a core has 2 GB.
        """
        given, vertex = self.config.beam.args, self.config.vertex
        processes = min(vertex.cpu, vertex.memory_gb // 2)
        if given != Beam().args or processes < 2:
            return given
        return (
            "--runner=FnApiRunner",
            "--direct_running_mode=multi_processing",
            f"--direct_num_workers={processes}",
        )

    def schema_path(self, curated: str) -> str:
        if files.is_remote(curated):
            return curated
        for folder in (ROOT / "schema", curated_schema.SHIPPED):
            if Path(curated).is_relative_to(folder):
                return f"{names.IMAGE_ROOT}/schema/{Path(curated).relative_to(folder).as_posix()}"
        raise UserError(
            f"schema_file {curated} is not in the image: put it below {ROOT / 'schema'} and rebuild the image"
        )

    def trainer_config(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the settings and, beside them, the custom job that TFX's executor for Vertex AI starts."""
        vertex, machines = self.config.vertex, self.config.vertex.trainer
        # Its folder on the bucket is that of the run: executors/trainer.py adds it.
        logs = {"tensorboard": vertex.tensorboard} if vertex.tensorboard else {}
        return {**settings, **self._job("trainer", machines.workers, logs), "strategy": machines.strategy}

    def tuner_config(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the same for the Tuner, whose machines train a trial each."""
        machines = self.config.vertex.trainer
        count = min(machines.parallel_trials, self.config.tuner.trials)
        return {**settings, **self._job("tuner", count, {}), "strategy": machines.device}

    def _job(self, stage: str, workers: int, more: dict[str, Any]) -> dict[str, Any]:
        """Return a custom job of this name, as TFX's executor reads it, and the settings that go with it.

        Args:
          stage: that starts it.
          workers: machines.
          more: fields of its CustomJobSpec.
        """
        job = {
            "project": names.project(self.config),
            "display_name": f"{self.pipeline_name}-{stage}",
            "job_spec": self._job_spec(workers) | more,
            "labels": dict(self.config.vertex.labels),
        }
        if self.config.vertex.encryption_key:
            job["encryption_spec"] = {"kms_key_name": self.config.vertex.encryption_key}
        _check_job(job)
        return {
            COMPILED_WITH: metadata.version("tfx"),
            "checkpoints": f"{names.bucket(self.config)}/checkpoints",
            constants.ENABLE_VERTEX_KEY: True,
            constants.VERTEX_REGION_KEY: self.config.vertex.region,
            TRAINING_ARGS_KEY: job,
        }

    def _job_spec(self, workers: int) -> dict[str, Any]:
        """Return a CustomJobSpec: the first pool is the chief alone, the second the other workers."""
        vertex, machines = self.config.vertex, self.config.vertex.trainer
        machine: dict[str, Any] = {"machine_type": machines.machine_type}
        if machines.accelerator:
            machine |= {"accelerator_type": machines.accelerator, "accelerator_count": machines.accelerator_count}
        if machines.tpu_topology:
            machine["tpu_topology"] = machines.tpu_topology
        container: dict[str, Any] = {"image_uri": names.trainer_image(self.config)}
        if variables := tpu.environment(machines.machine_type):
            container["env"] = [{"name": name, "value": value} for name, value in variables.items()]
        counts = [1] if workers == 1 else [1, workers - 1]
        spec: dict[str, Any] = {
            "worker_pool_specs": [
                {
                    "machine_spec": dict(machine),
                    "replica_count": count,
                    "container_spec": dict(container),
                }
                for count in counts
            ]
        }
        spec["scheduling"] = {
            "timeout": {"seconds": round(machines.timeout_hours * 3600)},
            # The training goes on from its checkpoint; several workers cannot go on without one that was taken away.
            "restart_job_on_worker_restart": machines.spot or workers > 1,
            **({"strategy": "SPOT"} if machines.spot else {}),
        }
        return {**spec, **vertex.access, **({"enable_web_access": True} if machines.web_access else {})}

    def previous_data(self, statistics: BaseChannel) -> Resolver:
        """Return a resolver of the latest findings when the run starts.

        Vertex AI knows this strategy and that of the latest blessed model, and no other.
        """
        return Resolver(strategy_class=LatestArtifactStrategy, previous=Channel(type=simple_artifacts.File))

    def baseline(self, candidate: BaseChannel) -> Resolver:
        """Return a resolver of the latest blessed model when the run starts, before there is a candidate."""
        return latest_blessed_model()

    def report(self, **inputs: BaseChannel) -> list[BaseNode]:
        """Return the stage Report: no machine of ours is there when the run ends."""
        config = self.config.model_dump(mode="json", exclude={"metadata"})  # not used there, and may hold a password
        return [
            _Report(
                name=self.config.name,
                seed=self.config.seed,
                confidence=self.config.evaluator.confidence,
                config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
                **inputs,
            ).with_id("Report")
        ]

    def pusher(self, evaluation: BaseChannel, **inputs: BaseChannel) -> BaseNode:
        """Return a Pusher that copies the model to the bucket and, as configured, registers and deploys it."""
        vertex = self.config.vertex
        folder = push_destination(f"{names.bucket(self.config)}/serving/{self.config.name}")
        if vertex.deploy.to == "bucket":
            return tfx.Pusher(**inputs, push_destination=folder, custom_executor_spec=ExecutorClassSpec(AtomicPush))
        needed = {"region", "labels", "encryption_key", "service_account", "deploy"}
        settings = {
            "name": self.config.name,
            "confidence": self.config.evaluator.confidence,
            "vertex": {**vertex.model_dump(mode="json", include=needed), "project": names.project(self.config)},
        }
        return RegisteringPusher(folder, settings, evaluation=evaluation, **inputs)


def _check_job(job: dict[str, Any]) -> None:
    """Raise UserError if Vertex AI's own message for a custom job does not take what the job's stage will send."""
    try:
        CustomJob({key: value for key, value in job.items() if key != "project"})
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"vertex.trainer: Vertex AI takes no custom job with {error}") from None
