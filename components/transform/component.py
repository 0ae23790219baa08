"""TFX's Transform, on data that has all its records."""

from __future__ import annotations

from typing import Any

from tfx.components import Transform
from tfx.components.transform import executor as tfx_transform
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs

from components.contracts import counts
from components.contracts import features as f
from components.tfx_types import Artifacts


class Executor(tfx_transform.Executor):
    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """See the base class.

        Raises:
          Damaged: the split that is analysed has lost records.
        """
        counts.verify(artifact_utils.get_single_uri(input_dict[standard_component_specs.EXAMPLES_KEY]), [f.TRAIN])
        super().Do(input_dict, output_dict, exec_properties)


class ImageTransform(Transform):
    """Decodes, resizes and normalises: preprocessing.py."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
