"""The executors of Trainer and Tuner where a run has parameters of its own."""

from __future__ import annotations

import dataclasses
import tempfile
from typing import Any

from tfx.components.trainer import executor as tfx_trainer
from tfx.components.tuner import executor as tfx_tuner
from tfx.types import standard_component_specs
from tfx.utils import json_utils

from components.tfx_types import Artifacts
from components.trainer import search_machines
from components.trainer.config import Settings, Tuner
from components.versions import COMPILED_WITH, UNSAID, check_image


class Executor(tfx_trainer.GenericExecutor):
    """TFX's; an execution property with the name of one of the Settings overrides its value in custom_config."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        super().Do(input_dict, output_dict, exec_properties | _custom_config(exec_properties))


class TunerExecutor(tfx_tuner.Executor):
    """The Tuner's executor; its custom_config also has the number of trials and the search space.

    On each of several machines, which TF_CONFIG names, it trains some of the trials; the first writes the outcome.
    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        machines = search_machines.of_environment()
        together = {"machines": dataclasses.asdict(machines)} if machines else {}
        properties = exec_properties | _custom_config(exec_properties | together, *Tuner.model_fields, *together)
        folder = tempfile.gettempdir()  # TFX gives a job none, and the search keeps nothing in it
        search = tfx_tuner.search(input_dict, properties, folder)
        if search.leads:
            tfx_tuner.write_best_hyperparameters(search, output_dict)


def _custom_config(exec_properties: dict[str, Any], *more: str) -> dict[str, str]:
    """Return the Settings, and `more`, without what describes the job.

    Raises:
      UserError: the image has another TFX than the machine that compiled the pipeline.
    """
    configured = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY]) | exec_properties
    check_image(configured.get(COMPILED_WITH, UNSAID))
    names = [*Settings.model_fields, *more]
    settings = {name: configured[name] for name in names if name in configured}
    return {standard_component_specs.CUSTOM_CONFIG_KEY: json_utils.dumps(settings)}
