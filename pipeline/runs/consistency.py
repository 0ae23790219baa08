"""Check that ML Metadata and the artifacts beside it belong together.

Folders of artifacts are named by the ids of executions, which a database numbers from 1. A database that is empty,
older than the artifacts or of another directory would reuse ids, and new files would be mixed with old ones.
"""

from __future__ import annotations

import json
import os

from components import files
from components.errors import UserError
from pipeline.config import Config
from pipeline.runs import run_dir
from pipeline.tracking import metadata


def check(config: Config) -> None:
    """Check that the database has the newest artifacts of every stage and the latest run; as fast after many runs.

    Raises:
      UserError: the database does not know them.
    """
    newest = _newest_artifacts(config)
    if not newest:
        return
    name = "the database of metadata.url" if config.metadata.url else f"{config.run_dir}/{run_dir.SQLITE_FILE}"
    if not metadata.exists(config):
        problem, unknown = f"{name} is missing or empty", next(iter(newest.values()))[1]
    else:
        store = metadata.open_store(config)
        problem = f"{name} is not the database of this run directory, or an older copy of it"
        strange = [path for node, (number, path) in newest.items() if metadata.node_of(store, number) != node]
        latest = _latest_run(config)
        if latest and metadata.context_of(store, latest) is None:
            strange.append(f"run {latest}")
        if not strange:
            return
        unknown = strange[0]
    root = os.path.dirname(run_dir.artifacts(config))
    raise UserError(
        f"{problem}: it does not know {unknown}. Put the right database back; or move {root} away, and everything is "
        "made again; or choose another --run-dir"
    )


def _newest_artifacts(config: Config) -> dict[tuple[str, str], tuple[int, str]]:
    """Return the highest execution id of the folders <name>/<stage>/<key>/<id>, and its folder, by (name, stage)."""
    root, name = os.path.split(run_dir.artifacts(config))
    newest = {}
    # An artifacts folder outside the run directory may be shared: only this pipeline's artifacts in it count.
    for pipeline in [name] if config.artifacts_dir else files.names(root):
        for stage in files.names(f"{root}/{pipeline}"):
            numbers = [
                (int(number), f"{root}/{pipeline}/{stage}/{key}/{number}")
                for key in files.names(f"{root}/{pipeline}/{stage}")
                if not key.startswith(".")
                for number in files.names(f"{root}/{pipeline}/{stage}/{key}")
                if number.isdecimal()
            ]
            if numbers:
                newest[pipeline, stage] = max(numbers)
    return newest


def _latest_run(config: Config) -> str | None:
    """Return the latest run of this directory that the database must have: at least one stage was done."""
    for file in reversed(run_dir.results(config)):
        try:
            stages = json.loads(file.read_bytes())["stages"].values()
        except (OSError, ValueError, KeyError, AttributeError):  # incomplete: reported elsewhere
            continue
        if any(stage["state"] in ("done", "cached") for stage in stages):
            return file.parent.name
    return None
