"""The functions of the Python API. What they need is imported when they are called."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.errors import GateRefused, Stopped, UserError
from image_pipeline.finished_run import Run, RunFailed
from image_pipeline.served_model import Model
from image_pipeline.two_runs import Comparison

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config import Config
    from pipeline.first_look import Choice

StrPath = str | os.PathLike[str]


def run(
    data: StrPath | None = None,
    *,
    preset: str | None = None,
    config: StrPath | None = None,
    run_dir: StrPath | None = None,
    first: str | None = None,
    last: str | None = None,
    settings: Mapping[str, Any] | None = None,
    **keywords: Any,
) -> Run:
    """Run the pipeline: check the images, train, evaluate and push a model.

    Finished stages come from the cache, and an interrupted training resumes. What the libraries print goes to the
    run's log.

    Args:
      data: the images: `digits`, `cifar10`, `tfds:NAME`, a path or a URL; docs/data.md lists all.
      preset: what the settings start from; if not given, the one for the data.
      config: a YAML file that overrides the preset.
      run_dir: folder of all state; `output` if not given.
      first: the first stage to run; earlier ones are reused.
      last: the last stage to run, as `"DataGate"` to validate the data only.
      settings: values by dotted keys, as `{"trainer.epochs": 5}`.
      **keywords: settings by the last part of their keys, as `epochs=5`, or by section, as `trainer={"epochs": 5}`.

    Returns:
      What came of the run. A model that was evaluated and refused is returned too, not raised: see `Run.state`.

    Raises:
      UserError: a mistake in the arguments or the data.
      GateRefused: the data cannot be trusted; `findings` says why, and `run` is the Run.
      RunFailed: a stage failed; `run` is the Run.
      KeyboardInterrupt: it was interrupted; the same call resumes.
    """
    from image_pipeline import settings as configuration
    from pipeline.platforms.local.start import start
    from pipeline.runs import summary

    def load() -> tuple[Config, Choice]:
        loaded, _, choice = configuration.load(data, preset, config, run_dir, settings, keywords)
        return loaded, choice

    screen = sys.stdout
    loaded, result = start(load, _stage(first), _stage(last), screen)
    made = Run(loaded, result)
    _raise_unless_ended(made)
    text = io.StringIO()
    summary.show(result, text)
    print(text.getvalue().strip("\n"), file=screen, flush=True)
    return made


def find_run(run: str | None = None, *, run_dir: StrPath | None = None, **keywords: Any) -> Run:
    """Return a run that has ended.

    Args:
      run: its id, or the beginning of it; the latest if not given.
      run_dir: folder of all state; `output` if not given.
      **keywords: settings of the run directory, as `metadata={"url": "env:NAME"}`.

    Raises:
      UserError: there is no such run, or more than one.
    """
    from pipeline.runs import report, result
    from pipeline.runs import run_dir as runs

    store = store_config(run_dir, keywords)
    folder = runs.find_run(store, run)
    return Run(report.of_run(store, folder), result.read(folder / runs.RESULT_FILE))


def runs(*, run_dir: StrPath | None = None, **keywords: Any) -> pd.DataFrame:
    """Return the runs of a run directory, also those that failed or are running.

    Args:
      run_dir: folder of all state; `output` if not given.
      **keywords: settings of the run directory, as `metadata={"url": "env:NAME"}`.

    Returns:
      A row a run, the newest first. The index, `run_id`, is its id, as `find_run` takes it. `when` it began,
      datetime64; `name` of its models; `data`; `preset`; `state`: `pushed`, `refused`, `failed`, `interrupted`,
      `partial`, `running`, or `damaged`, of which `find_run` says what to do; `accuracy`, and `accuracy_low` and
      `accuracy_high`, its interval, float64; `blessed`, a boolean, NA where no model was evaluated; `pushed`, the
      version that it pushed; `served`, the version that is served now, at the run that trained it; `seconds` of its
      stages, float64. What is not known is None or NaN.
    """
    from image_pipeline import run_list

    return run_list.frame(store_config(run_dir, keywords))


def load(name: StrPath | None = None, *, run_dir: StrPath | None = None, **keywords: Any) -> Model:
    """Load a model that is served.

    Args:
      name: `NAME`, `NAME/VERSION`, or the folder of a version, also one pushed elsewhere; if not given, the served
        version, where models of one name alone are served.
      run_dir: folder of all state; `output` if not given.
      **keywords: settings of the run directory, as `metadata={"url": "env:NAME"}`.

    Raises:
      UserError: there is no such model, or models of several names are served and none is named.
      Damaged: its files are not those that were pushed.
    """
    from image_pipeline import served_model

    if not isinstance(name, (str, os.PathLike, type(None))):
        raise UserError("load() takes the name or the folder of a served model; a Run answers by its own predict()")
    path = None if name is None else os.path.expanduser(os.fspath(name))
    return served_model.served(store_config(run_dir, keywords), path)


def compare(a: Run | str, b: Run | str, *, run_dir: StrPath | None = None, **keywords: Any) -> Comparison:
    """Compare two runs: their settings, code, data, training and results.

    Args:
      a: the first run: a Run, or the id of one or the beginning of it.
      b: the second run.
      run_dir: folder of all state, in which an id is looked up; if not given, that of the other run, else `output`.
      **keywords: settings of the run directory, as `metadata={"url": "env:NAME"}`.

    Raises:
      UserError: there is no such run, or more than one.
    """
    from image_pipeline import two_runs

    for run in (a, b):
        if not isinstance(run, Run | str):
            raise UserError(f"compare takes two Runs, or ids of runs as text, not {run!r}")
    given = [run._config for run in (a, b) if isinstance(run, Run)]
    named = given[0] if given and run_dir is None else store_config(run_dir, keywords)
    return two_runs.of([(run._config, run.id) if isinstance(run, Run) else (named, run) for run in (a, b)])


def config(
    data: StrPath | None = None,
    *,
    preset: str | None = None,
    config: StrPath | None = None,
    run_dir: StrPath | None = None,
    settings: Mapping[str, Any] | None = None,
    **keywords: Any,
) -> pd.DataFrame:
    """Return the configuration that `run` has with the same arguments.

    Returns:
      A row a setting: the index is its key, the columns are `value`, `origin` (what decided it: `default`,
      `preset NAME`, a file, `argument`) and `meaning`.

    Raises:
      UserError: an unknown setting, or a value that does not fit.
    """
    import pandas as pd

    from image_pipeline import settings as configuration
    from pipeline.config import flatten
    from pipeline.config_reference import all_keys

    loaded, origins, _ = configuration.load(data, preset, config, run_dir, settings, keywords)
    values = flatten(loaded.model_dump(mode="json"))
    meanings = {key.name: key.meaning for key in all_keys()}
    rows = [(value, origins[key], meanings.get(key, "")) for key, value in values.items()]
    index = pd.Index(list(values), name="setting")
    return pd.DataFrame(rows, index=index, columns=["value", "origin", "meaning"], dtype=object)


def store_config(run_dir: StrPath | None, keywords: Mapping[str, Any]) -> Config:
    """Return the configuration with which a run directory is read."""
    from image_pipeline import settings

    loaded, _, _ = settings.load(None, None, None, run_dir, None, keywords)
    return loaded


def _stage(name: str | None) -> str | None:
    from pipeline import stage_named

    try:
        return None if name is None else stage_named(name)
    except ValueError as error:
        raise UserError(str(error)) from None


def _raise_unless_ended(made: Run) -> None:
    """Raise what ended the run before its end; a model that was refused after its evaluation is an end."""
    import dataclasses

    from components.contracts.run_result import STOPPED, ExitCode

    result = made._result
    if result.exit_code == ExitCode.DONE or (result.blessed is not None and result.exit_code == ExitCode.REFUSED):
        return
    where = f"report: {result.report}" if result.report else f"log: {result.log}"
    message = "\n".join([*result.why, where])
    error: UserError | GateRefused | RunFailed | Stopped
    if result.exit_code in STOPPED:
        error = Stopped(message, result.exit_code - 128)
    elif result.exit_code == ExitCode.REFUSED:
        error = GateRefused(message, [dataclasses.asdict(finding) for finding in result.findings])
    elif result.exit_code == ExitCode.USAGE_ERROR:
        error = UserError(message)
    else:
        error = RunFailed(message)
    error.run = made
    raise error
