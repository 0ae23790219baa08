"""The stage Pusher that also registers and deploys a model."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter
from tfx.utils import json_utils

from pipeline.platforms.vertex.executors.pusher import EVALUATION, Executor


class RegisteringPusherSpec(standard_component_specs.PusherSpec):
    """TFX's, and the evaluation."""

    INPUTS: ClassVar[dict[str, ChannelParameter]] = {
        **standard_component_specs.PusherSpec.INPUTS,
        EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
    }


class RegisteringPusher(base_component.BaseComponent):
    """A Pusher that reads the evaluation too, for the Model Registry."""

    SPEC_CLASS = RegisteringPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, push_destination: pusher_pb2.PushDestination, settings: dict[str, Any], **inputs: types.BaseChannel
    ) -> None:
        """Make the node.

        Args:
          push_destination: the folder on gs://.
          settings: the `custom_config` of the executor.
          inputs: of RegisteringPusherSpec.
        """
        spec = RegisteringPusherSpec(
            push_destination=push_destination,
            custom_config=json_utils.dumps(settings),
            pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            **inputs,
        )
        super().__init__(spec=spec)
