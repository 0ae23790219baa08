"""ServingCheck: check that the exported model serves, and answers as the model that was evaluated."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.serving_check.executor import Executor
from components.tfx_types import filled


class ServingCheckSpec(types.ComponentSpec):
    INPUTS = {  # noqa: RUF012 (so TFX wants it)
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
    }
    OUTPUTS = {  # noqa: RUF012
        "blessing": ChannelParameter(type=standard_artifacts.InfraBlessing),
        "predictions": ChannelParameter(type=standard_artifacts.InferenceResult),
    }
    PARAMETERS = {"timeout_seconds": ExecutionParameter(type=int)}  # noqa: RUF012


class ServingCheck(base_component.BaseComponent):
    """Serves the test split from a clean process; compares the answers with each other and the Evaluator's.

    Outputs:
      blessing: `blessed` is 1 or 0, as TFX's Pusher reads it; why is in its file contracts.serving.REPORT_FILE. A
        model that does not pass is not blessed, and nothing is raised.
      predictions: the answer for every image, as contracts/predictions.py has them.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, timeout_seconds: int = 3600, **inputs: types.BaseChannel) -> None:
        """Make the node.

        Args:
          timeout_seconds: after which the model counts as not serving.
          inputs: those of ServingCheckSpec: `examples`, raw tf.Examples of the data contract, of which the split `test`
            is read; `model`, the export, with the three signatures of components/contracts/features.py; `evaluation`
            of this model on the same split, by the Evaluator.
        """
        super().__init__(spec=filled(ServingCheckSpec, timeout_seconds=timeout_seconds, **inputs))
