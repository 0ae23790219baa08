"""The executors of Trainer and Tuner on Vertex AI, which start a custom job and wait for it."""

from __future__ import annotations

from tfx.extensions.google_cloud_ai_platform.trainer import executor as ai_platform

from components.trainer.executor import Executor, TunerExecutor


class TrainerJob(ai_platform.GenericExecutor):
    """Starts a custom job, as custom_config describes it, which runs the Trainer's `Executor`, and waits for it."""

    def _GetExecutorClass(self) -> type[Executor]:
        return Executor


class TunerJob(ai_platform.GenericExecutor):
    """Starts a custom job that runs `TunerExecutor`."""

    def _GetExecutorClass(self) -> type[TunerExecutor]:
        return TunerExecutor
