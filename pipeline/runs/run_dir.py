"""The layout of a run directory, and the lock that keeps two runs out of the same one.

metadata.sqlite            ML Metadata, unless metadata.url names a server
artifacts/<name>/…         what the stages put out, in TFX's layout
checkpoints/<key>/         what is trained so far of trainings that were stopped
serving/<name>/<version>/  pushed models, in TF Serving's layout
runs/<run id>/             config.yaml, run.log, result.json, report.html, predictions.csv, errors.csv, findings.csv and
                           the model card of each run
compare/<run>..<run>.html  pages that compare two runs
index.html                 all runs, with links to their reports
lock                       held by a run
"""

from __future__ import annotations

import dataclasses
import difflib
import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from components import files
from components.contracts import run_result
from components.errors import UserError
from pipeline.config import Config
from pipeline.output import short

SQLITE_FILE = "metadata.sqlite"
LOCK_FILE = "lock"
CONFIG_FILE = "config.yaml"
LOG_FILE = "run.log"
RESULT_FILE, REPORT_FILE = run_result.RESULT_FILE, run_result.REPORT_FILE
TABLES = (run_result.PREDICTIONS_FILE, run_result.ERRORS_FILE)  # beside the report
CARD_FILE = "card.html"


def artifacts(config: Config) -> str:
    """Return the folder of the artifacts, which may be a remote path (gs://…)."""
    return _below(config.artifacts_dir, config, "artifacts")


def checkpoints(config: Config) -> Path:
    return Path(config.run_dir).resolve() / "checkpoints"


def serving(config: Config) -> str:
    """Return the folder of the pushed versions, which may be a remote path (gs://…)."""
    return _below(config.serving.dir, config, "serving")


def _below(folder: str | None, config: Config, default: str) -> str:
    if folder and files.is_remote(folder):
        return f"{folder.rstrip('/')}/{config.name}"
    return str(Path(folder or Path(config.run_dir, default)).resolve() / config.name)


class DamagedRun(UserError):  # noqa: N818 (what is wrong, not that something is)
    """A file with the result of a run cannot be read."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{short(path)} is damaged: {why}. Run the same command again, which takes finished stages from the cache; "
            f"remove {short(path.parent)} to forget this run"
        )


def read_config(folder: Path) -> dict[str, Any]:
    """Return the stored configuration of the run in this folder.

    Raises:
      DamagedRun: it cannot be read.
    """
    path = folder / CONFIG_FILE
    try:
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DamagedRun(path, error.strerror or str(error)) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        stored = None
    if not isinstance(stored, dict):
        raise DamagedRun(path, "its end is missing, or it was written over")
    return stored


def new_id() -> str:
    """Return an id for a new run: it sorts by time and is unique across machines."""
    moment = f"{datetime.now():%Y%m%d-%H%M%S.%f}"[:-3]  # to the millisecond
    return f"{moment}-{secrets.token_hex(3)}"


def of_run(config: Config, run_id: str) -> Path:
    return Path(config.run_dir).resolve() / "runs" / run_id


def results(config: Config) -> list[Path]:
    """Return the result.json of every run that has ended, the oldest first."""
    return sorted(of_run(config, "").glob(f"*/{RESULT_FILE}"))


def started(run_id: str) -> datetime | None:
    """Return the local time at which a run began, from its id; None if another orchestrator named it."""
    try:
        return datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S")
    except ValueError:
        return None


def comparisons(config: Config) -> Path:
    return Path(config.run_dir).resolve() / "compare"


def run_ids(config: Config) -> list[str]:
    """Return the ids of the runs of this run directory; a shared ML Metadata has others too."""
    return [folder.name for folder in of_run(config, "").glob("*")]


def find_run(config: Config, run_id: str | None) -> Path:
    """Return the folder of a run that has ended: by its id or the beginning of it; the latest if None.

    Raises:
      UserError: there is no such run, or more than one.
    """
    runs = [file.parent for file in results(config)]
    if run_id is not None:
        runs = [run for run in runs if run.name == run_id] or [run for run in runs if run.name.startswith(run_id)]
    if not runs:
        description = f"run {run_id!r}" if run_id else "run that has ended"
        near = difflib.get_close_matches(run_id or "", [file.parent.name for file in results(config)], n=1, cutoff=0.8)
        hint = f"did you mean {near[0]}? See" if near else "see"
        raise UserError(f"{config.run_dir} has no {description}; {hint} `image-pipeline runs`")
    if run_id is not None and len(runs) > 1:
        raise UserError(f"{len(runs)} runs begin with {run_id!r}; write more of it: see `image-pipeline runs`")
    return runs[-1]


def beginning(run_id: str, run_ids: Iterable[str]) -> str:
    """Return the beginning of a run's id, to the second or longer, that no other of the ids has."""
    others = [other for other in run_ids if other != run_id]
    lengths = range(15, len(run_id))  # from the second on
    parts = (run_id[:length] for length in lengths)
    return next((part for part in parts if not any(other.startswith(part) for other in others)), run_id)


def existing(path: str | Path) -> Path:
    """Return a path as it is if it exists, else the nearest folder above it that does."""
    whole = Path(path).absolute()
    return next(place for place in (whole, *whole.parents) if os.path.exists(place))


def create(config: Config) -> None:
    """Create the run directory. UserError if that is impossible."""
    try:
        Path(config.run_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the run directory {config.run_dir}: {error.strerror}; choose another with --run-dir"
        ) from None
    if not os.access(config.run_dir, os.W_OK):
        raise UserError(f"the run directory {config.run_dir} is not writable; choose another with --run-dir")


@dataclasses.dataclass
class Lock:
    """The held lock of a run directory."""

    died: bool  # whether the process that held it last ended without releasing it, as after a kill
    mark: bool = False  # whether this lock must not be released: the next run fixes what is incomplete


@contextmanager
def locked(config: Config) -> Iterator[Lock]:
    """Hold the run directory's lock.

    The kernel releases it when the process ends, however it ends; a killed process leaves its number in the file.

    Raises:
      UserError: another process holds it, or the file cannot be written.
    """
    path = Path(config.run_dir) / LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another run directory with --run-dir") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
            raise UserError(
                f"another run (process {holder}) is using {config.run_dir}; wait for it or choose another --run-dir"
            ) from None
        died = os.fstat(descriptor).st_size > 0
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        os.fsync(descriptor)  # the mark survives a power cut
        lock = Lock(died)
        try:
            yield lock
        except UserError:
            if not died:  # a user's mistake leaves nothing incomplete; what a killed run left is still there
                os.truncate(descriptor, 0)
            raise
        if not lock.mark:
            os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)


def lock_holder(config: Config) -> tuple[int | None, bool]:
    """Return (the process id written in the lock file, whether the lock is held now)."""
    path = Path(config.run_dir) / LOCK_FILE
    if not path.exists():
        return None, False
    with path.open() as file:
        text = file.read().strip()
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(text) if text.isdigit() else None, True
    return int(text) if text.isdigit() else None, False
