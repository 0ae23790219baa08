"""What the stages of a run made, read when it is asked for."""

from __future__ import annotations

import functools
import os
from contextlib import AbstractContextManager
from typing import Any

from components import files
from components.contracts import evaluation, predictions, run_result, training
from components.contracts.evaluation import Evaluation
from components.contracts.predictions import Predictions
from components.contracts.run_result import Result
from components.contracts.training import Training
from components.errors import UserError
from image_pipeline.served_model import Model, of_run
from pipeline.config import Config
from pipeline.output import redirect_output
from pipeline.tracking import metadata


class RunArtifacts:
    """The artifacts of a run. What is not there is a UserError that says how the run ended."""

    def __init__(self, config: Config, result: Result) -> None:
        self._config, self._result = config, result

    @functools.cached_property
    def stages(self) -> dict[str, metadata.Stage]:
        return metadata.stages(metadata.known_store(self._config), self._result.run_id)

    def folder(self, stage: str, key: str) -> str:
        """Return the folder of an output of a stage.

        Raises:
          UserError: it made nothing, or that was removed.
        """
        artifact = metadata.latest_complete(self.stages, stage, key)
        if artifact is None:
            raise UserError(f"run {self._result.run_id} has nothing of {stage}: it {self._end()}")
        if not files.exists(artifact.uri):
            raise UserError(f"{artifact.uri} was removed, by `image-pipeline gc` or by hand: run the same again")
        return str(artifact.uri)

    @property
    def measured(self) -> dict[str, Any]:
        """Return the metrics as the result has them, classes included."""
        if self._result.metrics is None:
            raise UserError(f"run {self._result.run_id} evaluated no model: it {self._end()}")
        return self._result.metrics

    @functools.cached_property
    def evaluation(self) -> Evaluation:
        _ = self.measured
        with self.silent():
            return evaluation.read(self.folder("Evaluator", "evaluation"), self._config.evaluator.confidence)

    @functools.cached_property
    def training(self) -> Training:
        return training.read(self.folder("Trainer", "model_run"))

    @functools.cached_property
    def predictions(self) -> Predictions:
        read = predictions.read(self.folder("ServingCheck", "predictions"))
        if read is None:
            raise UserError(
                f"run {self._result.run_id} recorded no predictions: its model did not answer; see its report"
            )
        return read

    @functools.cached_property
    def model(self) -> Model:
        """Return the exported model, ready to answer."""
        return of_run(self._config, self._result.run_id, self.folder("Trainer", "model"))

    @staticmethod
    def silent() -> AbstractContextManager[None]:
        """Hide what the libraries print while they are imported and used."""
        return redirect_output(os.devnull)

    def _end(self) -> str:
        last, state = next(reversed(self._result.stages), "no stage"), run_result.state(self._result)
        return f"ended after {last}" if state == run_result.PARTIAL else f"was {state} in {last}"
