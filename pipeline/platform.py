"""The interface between `stages.create_pipeline` and the platform that the chain runs on (pipeline/platforms/)."""

from __future__ import annotations

from typing import Any, Protocol

from ml_metadata.proto import metadata_store_pb2
from tfx import components as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import BaseChannel

from components.data_gate.component import DataGate


class Platform(Protocol):
    """The interface of a platform, which implements all of it and inherits from no other platform.

    It inherits from no other platform: what it lacks is an error, not silently what another platform does.
    """

    @property
    def pipeline_name(self) -> str:
        """Return the name of the pipeline, in the characters that the platform allows."""

    @property
    def pipeline_root(self) -> str:
        """Return the folder of the artifacts."""

    @property
    def metadata_connection(self) -> metadata_store_pb2.ConnectionConfig | None:
        """Return how to connect to ML Metadata, without a password: TFX logs it. None if the platform has its own."""

    @property
    def caching(self) -> bool:
        """Return True if unchanged stages come from the cache."""

    @property
    def beam_args(self) -> list[str]:
        """Return the arguments of Beam's pipelines, the runner included."""

    @property
    def data_gate(self) -> type[DataGate]:
        """Return the class of DataGate, with artifact types that the platform's resolvers support."""

    @property
    def trainer(self) -> type[tfx.Trainer]:
        """Return the class of Trainer, whose executor trains where the platform trains."""

    @property
    def tuner(self) -> type[tfx.Tuner]:
        """Return the class of Tuner."""

    def schema_path(self, curated: str) -> str:
        """Return the path under which a stage finds the schema whose path on this machine is `curated`."""

    def trainer_config(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the Trainer's custom_config: `settings`, and what the platform adds."""

    def tuner_config(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the Tuner's custom_config: `settings`, and what the platform adds."""

    def previous_data(self, statistics: BaseChannel) -> Resolver:
        """Return a resolver whose output `previous` is the data that was accepted before."""

    def baseline(self, candidate: BaseChannel) -> Resolver:
        """Return a resolver whose output `model` is the baseline."""

    def pusher(self, evaluation: BaseChannel, **inputs: BaseChannel) -> BaseNode:
        """Return the stage that deploys the model; `evaluation` is for a platform that shows it beside the model."""

    def report(self, **inputs: BaseChannel) -> list[BaseNode]:
        """Return the stage that writes the report, if that is a stage."""
