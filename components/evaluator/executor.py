"""The Evaluator's executor: on a test split that has all its records, also where a run has thresholds of its own."""

from __future__ import annotations

import inspect
from typing import Any

from tfx import types
from tfx.components.evaluator import component as tfx_component
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.contracts import counts
from components.contracts import features as f
from components.evaluator.config import eval_config


class Executor(tfx_evaluator.Executor):
    """TFX's; execution properties with the names of `eval_config`'s arguments go before the configuration."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See the base class.

        Raises:
          Damaged: the test split has lost records.
        """
        counts.verify(artifact_utils.get_single_uri(input_dict[standard_component_specs.EXAMPLES_KEY]), [f.TEST])
        names = [name for name in inspect.signature(eval_config).parameters if name in exec_properties]
        if names:
            config = proto_utils.proto_to_json(eval_config(**{name: exec_properties[name] for name in names}))
            exec_properties = exec_properties | {standard_component_specs.EVAL_CONFIG_KEY: config}
        super().Do(input_dict, output_dict, exec_properties)


class ImageEvaluator(tfx_component.Evaluator):
    """Measures the candidate beside the baseline, and blesses it or not."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
