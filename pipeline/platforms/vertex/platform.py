"""What `stages.create_pipeline` asks of the place where the chain runs, as Vertex AI answers it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
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
from components.pusher.vertex import Executor as VertexPush
from components.report.component import Report
from components.trainer.executor import VertexExecutor, VertexTunerExecutor
from pipeline import ROOT
from pipeline.platforms.local.platform import Here, push_to
from pipeline.platforms.vertex import names


class _DataGateSpec(DataGateSpec):
    # Vertex AI finds artifacts by the types that TFX ships, and no other stage here writes a File.
    INPUTS = {**DataGateSpec.INPUTS, "previous": ChannelParameter(type=simple_artifacts.File, optional=True)}  # noqa: RUF012
    OUTPUTS = {"findings": ChannelParameter(type=simple_artifacts.File)}  # noqa: RUF012


class _DataGate(DataGate):
    SPEC_CLASS = _DataGateSpec


class _Tuner(tfx.Tuner):
    EXECUTOR_SPEC = ExecutorClassSpec(VertexTunerExecutor)


class _Trainer(tfx.Trainer):
    EXECUTOR_SPEC = ExecutorClassSpec(VertexExecutor)


class VertexAI(Here):
    """Vertex AI Pipelines: an image for every stage, Dataflow for Beam, a custom job for the Trainer."""

    data_gate = _DataGate
    tuner = _Tuner
    trainer = _Trainer

    @property
    def pipeline_name(self) -> str:
        """As Vertex AI wants it: lower case, digits and dashes."""
        return re.sub("[^a-z0-9]+", "-", self.config.name.lower()).strip("-")[:128]

    @property
    def pipeline_root(self) -> str:
        return f"{names.bucket(self.config)}/artifacts/{self.pipeline_name}"

    @property
    def metadata(self) -> metadata_store_pb2.ConnectionConfig | None:
        """None: Vertex ML Metadata keeps it."""
        return None

    @property
    def caching(self) -> bool:
        return self.config.vertex.caching

    @property
    def beam_args(self) -> list[str]:
        """The image is what remote workers run, so that nothing is shipped to them."""
        vertex, dataflow = self.config.vertex, self.config.vertex.dataflow
        image = f"--sdk_container_image={names.image(self.config)}"
        if not dataflow.max_workers:
            return [image, *self.config.beam.args]
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

    def schema(self, curated: str) -> str:
        if files.is_remote(curated):
            return curated
        if not Path(curated).is_relative_to(ROOT):
            raise UserError(
                f"schema_file {curated} is not in the image: put it below {ROOT / 'schema'} and build the image anew"
            )
        return f"{names.IMAGE_ROOT}/{Path(curated).relative_to(ROOT).as_posix()}"

    def trainer_config(self) -> dict[str, Any]:
        """The Trainer's settings and, beside them, the custom job that TFX's executor for Vertex AI starts."""
        trainer = self.config.vertex.trainer
        return {**super().trainer_config(), **self._job("trainer", trainer.workers), "strategy": trainer.strategy}

    def tuner_config(self) -> dict[str, Any]:
        """The same for the Tuner. It searches on one machine: each of several would search on its own."""
        trainer = self.config.vertex.trainer
        return {**super().tuner_config(), **self._job("tuner", 1), "strategy": trainer.device}

    def _job(self, stage: str, workers: int) -> dict[str, Any]:
        """A custom job of this name, as TFX's executor reads it, and the settings that go with it."""
        job = {
            "project": names.project(self.config),
            "display_name": f"{self.pipeline_name}-{stage}",
            "job_spec": self._job_spec(workers),
            "labels": dict(self.config.vertex.labels),
        }
        if self.config.vertex.encryption_key:
            job["encryption_spec"] = {"kms_key_name": self.config.vertex.encryption_key}
        return {
            "checkpoints": f"{names.bucket(self.config)}/checkpoints",
            constants.ENABLE_VERTEX_KEY: True,
            constants.VERTEX_REGION_KEY: self.config.vertex.region,
            TRAINING_ARGS_KEY: job,
        }

    def _job_spec(self, workers: int) -> dict[str, Any]:
        """A CustomJobSpec: the first pool is the chief alone, the second the other workers."""
        vertex, trainer = self.config.vertex, self.config.vertex.trainer
        machine: dict[str, Any] = {"machine_type": trainer.machine_type}
        if trainer.accelerator:
            machine |= {"accelerator_type": trainer.accelerator, "accelerator_count": trainer.accelerator_count}
        if trainer.tpu_topology:
            machine["tpu_topology"] = trainer.tpu_topology
        counts = [1] if workers == 1 else [1, workers - 1]
        spec: dict[str, Any] = {
            "worker_pool_specs": [
                {
                    "machine_spec": dict(machine),
                    "replica_count": count,
                    "container_spec": {"image_uri": names.trainer_image(self.config)},
                }
                for count in counts
            ]
        }
        optional = {"service_account": vertex.service_account, "network": vertex.network}
        return spec | {key: value for key, value in optional.items() if value}

    def previous_data(self, statistics: BaseChannel) -> Resolver:
        """The latest findings of all, when the run starts: Vertex AI knows this strategy and the next, and no other."""
        return Resolver(strategy_class=LatestArtifactStrategy, previous=Channel(type=simple_artifacts.File))

    def baseline(self, candidate: BaseChannel) -> Resolver:
        """The latest blessed model of all, when the run starts: before there is a candidate, unless it is cached."""
        return self.blessed_model()

    def report(self, **inputs: BaseChannel) -> list[BaseNode]:
        """A stage: no machine of ours is there when the run ends."""
        config = self.config.model_dump(mode="json", exclude={"metadata"})  # not used there, and may hold a password
        return [
            Report(
                name=self.config.name,
                seed=self.config.seed,
                confidence=self.config.evaluator.confidence,
                config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
                **inputs,
            ).with_id("Report")
        ]

    def pusher(self, **inputs: BaseChannel) -> tfx.Pusher:
        """Copies the model to the bucket and, as configured, registers and deploys it."""
        vertex, deploy = self.config.vertex, self.config.vertex.deploy
        folder = push_to(f"{names.bucket(self.config)}/serving/{self.config.name}")
        if deploy.to == "bucket":
            return tfx.Pusher(**inputs, push_destination=folder, custom_executor_spec=ExecutorClassSpec(AtomicPush))
        endpoint = {"machine_type": deploy.machine_type, "max_replicas": deploy.max_replicas}
        settings = {
            "name": self.config.name,
            "project": names.project(self.config),
            "region": vertex.region,
            "image": deploy.image,
            "labels": dict(vertex.labels),
            "encryption_key": vertex.encryption_key,
            "service_account": vertex.service_account,
            "endpoint": endpoint if deploy.to == "endpoint" else None,
        }
        return tfx.Pusher(
            **inputs,
            push_destination=folder,
            custom_config=settings,
            custom_executor_spec=ExecutorClassSpec(VertexPush),
        )
