"""The Tuner component's `tuner_fn`: Bayesian optimisation of hyperparameters with KerasTuner."""

from __future__ import annotations

import json
import tempfile
from typing import Any

import keras_tuner
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from components.trainer import checkpoint, search_machines
from components.trainer import strategy as devices
from components.trainer.config import Settings, Tuner, is_whole
from components.trainer.record import DivergedError
from components.trainer.search_machines import Machines
from components.trainer.train import Inputs, read, train

_LOGARITHMIC = 8  # a range whose ends differ by more than this factor is searched by magnitude


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Return a search for the highest validation accuracy in `trials` trainings, each as the Trainer would do it.

    Args:
      fn_args: its custom_config is that of the Trainer, with `trials`, `space`, (low, high) for each setting, and,
        where several machines search, `machines`: the fields of Machines.
    """
    custom_config = dict(fn_args.custom_config)
    machines = Machines(**custom_config.pop("machines")) if "machines" in custom_config else None
    tuner = Tuner(**{name: custom_config.pop(name) for name in Tuner.model_fields})
    settings = Settings(**custom_config)
    strategy = devices.make_strategy(settings.strategy, settings.tpu)
    inputs = read(fn_args, settings)
    oracle = make_oracle(tuner.trials, search_space(tuner.space), settings.seed)
    return TunerFnResult(Search(oracle, inputs, settings, strategy, machines), {})


def make_oracle(trials: int, space: keras_tuner.HyperParameters, seed: int) -> keras_tuner.Oracle:
    """Return the oracle that chooses the trials: three at random in `space`, then by Bayesian optimisation."""
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        objective=keras_tuner.Objective("val_accuracy", "max"),
        max_trials=trials,
        num_initial_points=min(3, trials),
        seed=seed + 1,  # with 0 KerasTuner draws one
        hyperparameters=space,
        allow_new_entries=False,
    )
    oracle.verbose = 0
    return oracle


def search_space(space: dict[str, tuple[float, float]]) -> keras_tuner.HyperParameters:
    """Declare each setting with its range, both ends included.

    Whole numbers stay whole. What spans more than a factor of 8 is drawn by magnitude.
    """
    parameters = keras_tuner.HyperParameters()
    for name, (low, high) in sorted(space.items()):
        sampling = "log" if 0 < low * _LOGARITHMIC < high else "linear"
        declare = parameters.Int if is_whole(name, high) else parameters.Float
        declare(name, low, high, sampling=sampling)
    return parameters


class Search(BaseTuner):
    """Trains once per trial. An interrupted search resumes in the trial that was interrupted.

    Attributes:
      leads: whether this machine knows the outcome: of several, the first.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        inputs: Inputs,
        settings: Settings,
        strategy: tf.distribute.Strategy,
        machines: Machines | None = None,
    ) -> None:
        self._inputs, self._settings, self._strategy, self._machines = inputs, settings, strategy, machines
        self.leads = machines is None or machines.number == 0
        if machines and not self.leads:
            search_machines.join(machines)
        space = json.dumps([oracle.max_trials, oracle.get_space().get_config()], sort_keys=True)
        key = checkpoint.key(inputs.fingerprint + space, settings, settings.precision)
        super().__init__(oracle, directory=settings.checkpoints or tempfile.mkdtemp(), project_name=f"search-{key}")

    def search(self, *args: Any, **kwargs: Any) -> None:
        if self._machines and self.leads:
            self.save()  # another machine may end the first trial, which a search that is resumed must find
            with search_machines.answering(self.oracle, self._machines):
                super().search(*args, **kwargs)
        else:
            super().search(*args, **kwargs)
        if self.leads:
            tf.io.gfile.rmtree(self.project_dir)

    def results_summary(self, num_trials: int = 10) -> None:
        """Print nothing: the run prints its own table of trials."""

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        settings = Settings(**{**self._settings.model_dump(), **trial.hyperparameters.values})
        title = f"trial {int(trial.trial_id) + 1}/{self.oracle.max_trials}, "
        try:
            training = train(self._inputs, settings, self._strategy, None, title)
        except DivergedError:
            return {"val_accuracy": 0.0}
        training.checkpoints.delete()
        return {"val_accuracy": training.record.history[-1]["val_accuracy"]}
