"""The served models of a run directory, and which of them a person means."""

from __future__ import annotations

import os
from collections.abc import Set
from pathlib import Path
from typing import NamedTuple

from components.contracts.model import SAVED_MODEL_FILE
from components.errors import Damaged, UserError
from components.example_gen.config import Data
from components.files import exists, is_folder, is_remote
from components.pusher import manifest
from components.text import did_you_mean, printable
from pipeline.config import Config
from pipeline.output import short
from pipeline.prediction.reading import Limits
from pipeline.tracking import metadata
from pipeline.tracking.queries import Data as TrainedOn
from pipeline.tracking.queries import RunStore, Version


class Words(NamedTuple):
    """How a person names a model and makes one, in messages."""

    naming: str = "--model {}"  # a model, in place of {}
    option: str = "--model"
    run: str = "`image-pipeline run`"


COMMAND_LINE = Words()


class Served(NamedTuple):
    """A pushed model, and what is known of it."""

    name: str
    version: str
    path: str
    run_id: str = ""  # of the run that pushed it; empty where it was pushed elsewhere
    data: TrainedOn | None = None

    def __str__(self) -> str:
        pushed = f", pushed by run {self.run_id}" if self.run_id else ""
        return f"{printable(self.name)} version {printable(self.version)}{pushed}: {short(self.path)}"

    def limits(self, data: Data, own: Set[str] = frozenset()) -> Limits:
        """Return the limits that the model's training images were read with.

        Args:
          data: whose limits apply where those are not known.
          own: names of limits that are those of `data` in any case.
        """
        limits = Limits.of(data)
        if self.data is None:
            return limits
        return Limits.of(self.data.settings)._replace(**{name: getattr(limits, name) for name in own})


def find(config: Config, model: str | None, words: Words = COMMAND_LINE) -> Served:
    """Return the pushed model that `model` names: NAME, NAME/VERSION, VERSION or a folder; if None the latest.

    Raises:
      UserError: there is none, or models of several names are served and none is named.
      Damaged: its files are not those that were pushed.
    """
    answering = _find(config, model, words)
    if wrong := manifest.damage(answering.path):
        raise Damaged(
            f"the pushed model {answering.path} is damaged: {wrong}; {words.run} pushes it again, and {words.option} "
            "names another version"
        )
    return answering


def names(config: Config) -> list[str]:
    """Return the names of the models that are served from a run directory."""
    return list(_latest(RunStore(config))) if metadata.exists(config) else []


def _find(config: Config, model: str | None, words: Words) -> Served:
    store = RunStore(config) if metadata.exists(config) else None
    if model is not None and exists(f"{model}/{SAVED_MODEL_FILE}"):
        return _of_folder(store, model)
    latest = _latest(store) if store else {}
    named = words.naming.format(model)
    if model is not None and model not in latest and (Path(model).exists() or is_remote(model)):
        raise UserError(f"{named}: there is no SavedModel; name the folder of a version, .../NAME/VERSION")
    if store and model is not None and model not in latest and model.rpartition("/")[2].isdigit():
        return _of_version(store, store.version(model))
    if not latest:
        condition = f" named '{model}'" if model else ""
        raise UserError(f"no pushed model{condition} in {config.run_dir}; push one with {words.run}")
    if model is not None and model not in latest:
        raise UserError(f"{named}: no model of that name is served; {did_you_mean(model, latest)}")
    if model is None and len(latest) > 1:
        models = ", ".join(f"{name} (version {version.version})" for name, version in latest.items())
        raise UserError(
            f"{config.run_dir} serves models of {len(latest)} names: {models}; choose one with "
            f"{words.naming.format('NAME')}"
        )
    assert store
    return _of_version(store, latest[model or next(iter(latest))])


def _latest(store: RunStore) -> dict[str, Version]:
    """Return the newest pushed version of each name whose folder is still there, the newest first."""
    latest: dict[str, Version] = {}
    for version in reversed(store.versions()):
        name = Path(version.path).parent.name  # as TensorFlow Serving has it
        if name not in latest and is_folder(version.path):
            latest[name] = version
    return latest


def _of_version(store: RunStore, version: Version) -> Served:
    trained_on = store.data_of_path(version.path)
    return Served(version.name, version.version, version.path, version.node.run_id, trained_on)


def _of_folder(store: RunStore | None, folder: str) -> Served:
    """Return the model in a folder; what is known of it, if it was pushed from here."""
    path = folder.rstrip("/") if is_remote(folder) else os.path.realpath(folder)
    known = [version for version in store.versions() if version.path == path] if store else []
    if store and known:
        return _of_version(store, known[-1])._replace(path=folder)
    return Served(Path(path).parent.name, Path(path).name, folder)
