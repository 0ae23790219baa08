"""The executors of Trainer and Tuner on Vertex AI, which start a custom job and wait for it."""

from __future__ import annotations

from typing import Any

from tfx.extensions.google_cloud_ai_platform.trainer import executor as ai_platform

from components.tfx_types import Artifacts
from components.trainer.executor import Executor, TunerExecutor
from pipeline import fingerprint


class TrainerInJob(Executor):
    """The Trainer's executor in the image of the custom job, which may be another than that of the stages."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        fingerprint.check_code(exec_properties.get(fingerprint.CODE, ""))
        super().Do(input_dict, output_dict, exec_properties)


class TunerInJob(TunerExecutor):
    """The same of the Tuner."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        fingerprint.check_code(exec_properties.get(fingerprint.CODE, ""))
        super().Do(input_dict, output_dict, exec_properties)


class TrainerJob(ai_platform.GenericExecutor):
    """Starts a custom job, as custom_config describes it, which runs `TrainerInJob`, and waits for it."""

    def _GetExecutorClass(self) -> type[Executor]:
        return TrainerInJob


class TunerJob(ai_platform.GenericExecutor):
    """Starts a custom job that runs `TunerInJob`."""

    def _GetExecutorClass(self) -> type[TunerExecutor]:
        return TunerInJob
