"""The executor of Report on Vertex AI: also writes the report where the Model Registry can link to it.

The Pusher does not wait for Report and cannot know the folder of its artifact, which has a number of Vertex AI's in its
name. Both read the Evaluator's artifact, so the folder of the run that evaluated the model is known to both.
"""

from __future__ import annotations

import os
from typing import Any

from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.contracts.run_result import REPORT_FILE
from components.report import executor
from components.tfx_types import Artifacts


class Executor(executor.Executor):
    """Writes the report into its artifact and into a folder of the run that evaluated the model."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        super().Do(input_dict, output_dict, exec_properties)
        written = artifact_utils.get_single_uri(output_dict["report"])
        linked = os.path.dirname(page(artifact_utils.get_single_uri(input_dict["evaluation"])))
        fileio.makedirs(linked)
        for name in fileio.listdir(written):
            fileio.copy(os.path.join(written, name), os.path.join(linked, name), overwrite=True)


def page(evaluation: str) -> str:
    """Return where the report of the model is, or will be, that was evaluated.

    Args:
      evaluation: the Evaluator's artifact, …/JOB/Evaluator_NUMBER/evaluation.
    """
    return os.path.join(os.path.dirname(os.path.dirname(evaluation.rstrip("/"))), "report", REPORT_FILE)
