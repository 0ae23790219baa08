"""The Evaluator's executor where a run has thresholds of its own."""

from __future__ import annotations

import inspect
from typing import Any

from tfx import types
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.evaluator.config import eval_config


class Executor(tfx_evaluator.Executor):
    """TFX's, whose eval_config is made of the execution properties with the names of `eval_config`'s arguments."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        thresholds = {name: exec_properties[name] for name in inspect.signature(eval_config).parameters}
        config = {standard_component_specs.EVAL_CONFIG_KEY: proto_utils.proto_to_json(eval_config(**thresholds))}
        super().Do(input_dict, output_dict, exec_properties | config)
