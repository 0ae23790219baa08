"""What `stages.create_pipeline` asks of the place where the chain runs, as this machine answers it."""

from __future__ import annotations

from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx import components as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel, Channel, standard_artifacts

from components.data_gate.component import DataFindings, DataGate
from components.data_gate.previous import AcceptedBefore
from components.evaluator.baseline import LatestOtherBlessedModelStrategy
from components.pusher.executor import Executor as AtomicPush
from pipeline import ROOT
from pipeline.config import Config
from pipeline.runs import run_dir
from pipeline.tracking import metadata


class Here:
    """This machine. What another place does otherwise, its subclass says (pipeline/platforms/vertex/platform.py)."""

    data_gate: type[DataGate] = DataGate
    tuner: type[tfx.Tuner] = tfx.Tuner
    trainer: type[tfx.Trainer] = tfx.Trainer

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def pipeline_name(self) -> str:
        return self.config.name

    @property
    def pipeline_root(self) -> str:
        """Where the artifacts go."""
        return run_dir.artifacts(self.config)

    @property
    def metadata(self) -> metadata_store_pb2.ConnectionConfig | None:
        # Without the password: TFX logs it. dag_runner.run is told how to connect.
        return metadata.connection(self.config, password=False)

    @property
    def caching(self) -> bool:
        return True

    @property
    def beam_args(self) -> list[str]:
        """The runner's arguments, and this project as what Beam ships to remote workers.

        Without a package to ship, TFX would make one of itself at the start of every stage, also where nothing is
        shipped.
        """
        return [f"--setup_file={ROOT / 'setup.py'}", *self.config.beam.args]

    def schema(self, curated: str) -> str:
        """The path under which a stage finds the schema that is `curated` here."""
        return curated

    def trainer_config(self) -> dict[str, Any]:
        """The Trainer's custom_config: components/trainer/settings.py."""
        return {
            **self.config.trainer.model_dump(),
            "size": self.config.transform.size,
            "seed": self.config.seed,
            "checkpoints": str(run_dir.checkpoints(self.config)),
        }

    def tuner_config(self) -> dict[str, Any]:
        """The Tuner's custom_config: components/trainer/tune.py."""
        return {**self.trainer_config(), **self.config.tuner.model_dump(mode="json")}

    def blessed_model(self) -> Resolver:
        """Finds, as `model`, the latest that was blessed."""
        return Resolver(
            strategy_class=LatestBlessedModelStrategy,
            model=Channel(type=standard_artifacts.Model),
            model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        )

    def previous_data(self, statistics: BaseChannel) -> Resolver:
        """Finds, as `previous`, the data that was accepted before."""
        return Resolver(
            strategy_class=AcceptedBefore,
            statistics=statistics,
            previous=Channel(type=DataFindings),
        )

    def baseline(self, candidate: BaseChannel) -> Resolver:
        """Finds, as `model`, the one to beat: the latest that was blessed, the candidate left out."""
        return Resolver(
            strategy_class=LatestOtherBlessedModelStrategy,
            candidate=candidate,
            model=Channel(type=standard_artifacts.Model),
            model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        )

    def report(self, **inputs: BaseChannel) -> list[BaseNode]:
        """No stage: the report is made after every run, also one that stopped before its last stage."""
        return []

    def pusher(self, **inputs: BaseChannel) -> tfx.Pusher:
        """Copies the model to `serving`."""
        return tfx.Pusher(
            **inputs,
            push_destination=push_to(run_dir.serving(self.config)),
            custom_executor_spec=ExecutorClassSpec(AtomicPush),
        )


def push_to(folder: str) -> pusher_pb2.PushDestination:
    return pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=folder))
