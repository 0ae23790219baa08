"""Find and remove what a killed run left behind: the next run does, and `doctor --fix`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import ml_metadata as mlmd

from components import files
from components.pusher import incoming
from pipeline.config import Config
from pipeline.runs import run_dir
from pipeline.tracking import metadata

_SYSTEM = ".system"  # TFX's own folder below that of a stage


@dataclasses.dataclass(frozen=True)
class Leftovers:
    """The leftovers of killed runs. Valid while no run is running in the run directory."""

    running: list[metadata.Execution]  # in ML Metadata, and nothing runs them
    folders: list[str]  # of executions that never ended, or failed: nothing ever reads them
    incoming: list[str]  # models that were being pushed
    fresh: list[str]  # files that were being written

    @property
    def paths(self) -> list[str]:
        return [*self.folders, *self.incoming, *self.fresh]

    def __bool__(self) -> bool:
        return bool(self.running or self.paths)

    def __str__(self) -> str:
        """Return the leftovers in words; empty if there are none."""
        counted = (
            (len(self.running), "execution left RUNNING", "executions left RUNNING"),
            (len(self.folders), "incomplete folder", "incomplete folders"),
            (len(self.incoming), "incomplete push", "incomplete pushes"),
            (len(self.fresh), "incomplete file", "incomplete files"),
        )
        return ", ".join(
            f"{number} {singular if number == 1 else plural}" for number, singular, plural in counted if number
        )


def fix(config: Config, run_ids: Iterable[str] | None = None) -> str:
    """Remove the leftovers of killed runs and return them in words ("" if none). The caller holds the lock.

    Args:
      run_ids: None for every run that was started in this run directory; others may be running on the same server.
    """
    store = metadata.open_store(config) if metadata.exists(config) else None
    leftovers = find(config, store, run_dir.run_ids(config) if run_ids is None else run_ids)
    clean(store, leftovers)
    return str(leftovers)


def find(config: Config, store: mlmd.MetadataStore | None, run_ids: Iterable[str]) -> Leftovers:
    """Return the leftovers of these runs, and incomplete pushes in the configured folder."""
    executions = metadata.executions(store, run_ids) if store else []
    running = metadata.left_running(executions)
    dead = [*running, *metadata.unsuccessful(executions)]
    folders = _incomplete(config, store, dead) if store else []
    pushes = [] if files.is_remote(served := run_dir.serving(config)) else incoming.abandoned(Path(served).parent)
    root = Path(config.run_dir)
    fresh = [str(path) for where in ("", "runs/*/", "compare/") for path in root.glob(f"{where}{files.FRESH}*")]
    return Leftovers(running, folders, pushes, sorted(fresh))


def clean(store: mlmd.MetadataStore | None, leftovers: Leftovers) -> None:
    """Remove what is incomplete, then cancel the executions: in this order a killed repair is repeated."""
    for path in leftovers.paths:
        files.remove(path)
    if store:
        metadata.cancel(store, leftovers.running)


def _incomplete(config: Config, store: mlmd.MetadataStore, dead: Iterable[metadata.Execution]) -> list[str]:
    """Return the folders <name>/<stage>/<key>/<execution> of dead executions, and theirs in TFX's .system."""
    root = os.path.dirname(run_dir.artifacts(config))
    keys: dict[str, list[str]] = {}  # by the folder of the stage
    folders = []
    for execution in dead:
        node = metadata.node_of(store, execution.id)
        if node is None or metadata.property_value(execution, metadata.OUTPUTS_OF_OTHERS):
            continue
        stage = "/".join((root, *node))
        if stage not in keys:
            keys[stage] = [key for key in files.names(stage) if key != _SYSTEM]
            if config.metadata.url is None:  # TFX does not record the owner; nothing else runs in this directory
                working = f"{stage}/{_SYSTEM}/stateful_working_dir"
                folders += [f"{working}/{name}" for name in files.names(working)]
        folders += [f"{stage}/{key}/{execution.id}" for key in keys[stage]]
        folders.append(f"{stage}/{_SYSTEM}/executor_execution/{execution.id}")
    return [folder for folder in folders if files.is_folder(folder)]
