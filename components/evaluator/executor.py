"""The Evaluator's executor: on a test split that has all its records, also where a run has thresholds of its own."""

from __future__ import annotations

import json
from typing import Any

from tfx.components.evaluator import component as tfx_component
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs

from components.contracts import counts, gates
from components.contracts import features as f
from components.evaluator.eval_config import with_limits
from components.tfx_types import Artifacts


class Executor(tfx_evaluator.Executor):
    """TFX's; an execution property with the key of a gate overrides the gate's bound."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """See the base class.

        Raises:
          Damaged: the test split has lost records.
        """
        counts.verify(artifact_utils.get_single_uri(input_dict[standard_component_specs.EXAMPLES_KEY]), [f.TEST])
        config = exec_properties[standard_component_specs.EVAL_CONFIG_KEY]
        keys = [gate.key for gate in gates.of_eval_config(json.loads(config))]
        if limits := {key: exec_properties[key] for key in keys if key in exec_properties}:
            changed = {standard_component_specs.EVAL_CONFIG_KEY: with_limits(config, limits)}
            exec_properties = exec_properties | changed
        super().Do(input_dict, output_dict, exec_properties)


class ImageEvaluator(tfx_component.Evaluator):
    """Measures candidate and baseline, and blesses the candidate or not."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
