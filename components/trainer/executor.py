"""The Trainer's executor where a run has parameters of its own, and the one that trains in a job of Vertex AI."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfx import types
from tfx.components.trainer import executor as tfx_trainer
from tfx.extensions.google_cloud_ai_platform.trainer import executor as ai_platform
from tfx.types import standard_component_specs
from tfx.utils import json_utils

from components.trainer.settings import Settings


class Executor(tfx_trainer.GenericExecutor):
    """TFX's; an execution property with the name of one of the Settings goes before its value in custom_config."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        configured = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY]) | exec_properties
        names = [field.name for field in dataclasses.fields(Settings)]
        settings = {name: configured[name] for name in names if name in configured}
        custom_config = {standard_component_specs.CUSTOM_CONFIG_KEY: json_utils.dumps(settings)}
        super().Do(input_dict, output_dict, exec_properties | custom_config)


class VertexExecutor(ai_platform.GenericExecutor):
    """TFX's, which starts a custom job, as custom_config describes it, and waits for it; the job runs `Executor`."""

    def _GetExecutorClass(self) -> type[Executor]:
        return Executor
