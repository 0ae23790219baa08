"""This machine as a platform: TFX's BeamDagRunner, SQLite or a server for ML Metadata, folders or remote paths."""

from __future__ import annotations

from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx import components as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import BaseChannel, Channel, standard_artifacts

from components.data_gate.component import DataFindings, DataGate
from components.data_gate.previous import LatestAcceptedData
from components.evaluator.baseline import LatestOtherBlessedModelStrategy
from components.pusher.executor import Executor as AtomicPush
from pipeline.config import Config
from pipeline.platforms.local import beam_package
from pipeline.runs import run_dir
from pipeline.stages import push_destination
from pipeline.tracking import metadata


class LocalPlatform:
    """See pipeline/platform.py."""

    data_gate = DataGate
    tuner = tfx.Tuner
    trainer = tfx.Trainer

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def pipeline_name(self) -> str:
        return self.config.name

    @property
    def pipeline_root(self) -> str:
        return run_dir.artifacts(self.config)

    @property
    def metadata_connection(self) -> metadata_store_pb2.ConnectionConfig | None:
        """Return the connection without its password; dag_runner.run is given the whole one."""
        return metadata.connection(self.config, password=False)

    @property
    def caching(self) -> bool:
        return True

    @property
    def beam_args(self) -> list[str]:
        """Return the runner's arguments, and this project as what Beam ships to remote workers.

        Without a package to ship, TFX would build one of itself at the start of every stage, even where nothing is
        shipped.
        """
        return [f"--setup_file={beam_package.setup_file(self.config.run_dir)}", *self.config.beam.args]

    def schema_path(self, curated: str) -> str:
        return curated

    def trainer_config(self, settings: dict[str, Any]) -> dict[str, Any]:
        return {**settings, "checkpoints": str(run_dir.checkpoints(self.config))}

    def tuner_config(self, settings: dict[str, Any]) -> dict[str, Any]:
        return self.trainer_config(settings)

    def previous_data(self, statistics: BaseChannel) -> Resolver:
        """Return a resolver of the latest findings that are older than these statistics."""
        previous = Channel(type=DataFindings)
        return Resolver(strategy_class=LatestAcceptedData, statistics=statistics, previous=previous)

    def baseline(self, candidate: BaseChannel) -> Resolver:
        """Return a resolver of the latest blessed model other than the candidate."""
        return Resolver(
            strategy_class=LatestOtherBlessedModelStrategy,
            candidate=candidate,
            model=Channel(type=standard_artifacts.Model),
            model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        )

    def pusher(self, evaluation: BaseChannel, **inputs: BaseChannel) -> BaseNode:
        """Return a Pusher that copies the model to the folder of `serving`."""
        return tfx.Pusher(
            **inputs,
            push_destination=push_destination(run_dir.serving(self.config)),
            custom_executor_spec=ExecutorClassSpec(AtomicPush),
        )

    def report(self, **inputs: BaseChannel) -> list[BaseNode]:
        """Return no stage: every run writes its report at its end, also one that stopped before its last stage."""
        return []
