"""Faults of the machine and the disk in one line that says what to do: no traceback, no SQL."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator

from components import files
from pipeline.config import Config
from pipeline.runs import run_dir

FULL = re.compile(r"no space left on device|disk is full|disk quota exceeded", re.IGNORECASE)
_DENIED = re.compile(
    r"permission denied|read-only file system|operation not permitted|readonly database|unable to open database file",
    re.IGNORECASE,
)
_BROKEN = re.compile(r"file is not a database|disk image is malformed|no such table", re.IGNORECASE)
_PATH = re.compile(r"(/[^\s;:'\"]+)['\";:]*\s*(?:permission denied|read-only file system|no space left)", re.IGNORECASE)
_SQL = re.compile(r"Error when executing query:\s*(.*?)\s*query:.*", re.DOTALL)  # as ml-metadata tells it
# TensorFlow's, of an error in a graph: the reason is on the line above the first node, below pages of the graph.
_IN_GRAPH = re.compile(r"^[ \t]*(?:\(0\) [A-Z_]+:\s*)?(?:\{\{.*?\}\} )?(.+)\n\s*\[\[\{\{node ", re.MULTILINE)
# Keras', of an error in a layer: the reason is in bold below the name of the layer.
_IN_LAYER = re.compile(r"Exception encountered when calling [^\n]+\n\s*(?:\x1b\[1m)?(?:\{\{.*?\}\} )?([^\n\x1b]+)")
_ROOM = 4 << 20  # bytes; a file system with less is full


def in_words(error: BaseException, config: Config) -> str | None:
    """Return the message for an error that is not the program's; None if it may be the program's."""
    text = "\n".join(str(cause) for cause in chain(error))
    advice = "run the same command to resume"
    if FULL.search(text):
        return f"no space left on {_full(config, _path(error, text))}; make room and {advice}"
    if "No usable temporary directory" in text:
        return f"no temporary folder can be written, not even {os.environ.get('TMPDIR', '/tmp')}; set TMPDIR to one"
    if _DENIED.search(text):
        path, why = _path(error, text) or config.run_dir, _DENIED.findall(text)[0].capitalize()
        return f"{path} cannot be written or read: {why}; give this user the right to, or choose another --run-dir"
    if _BROKEN.search(text):
        return damaged_database(config)
    return None


def damaged_database(config: Config) -> str:
    where = "the database of metadata.url" if config.metadata.url else f"{config.run_dir}/{run_dir.SQLITE_FILE}"
    artifacts = os.path.dirname(run_dir.artifacts(config))
    return (
        f"{where} is damaged; put a copy of it back, or move it and {artifacts} away, and everything is made again, or "
        "choose another --run-dir"
    )


def reason(error: BaseException) -> str:
    """Return the line of an error's text that says what is wrong, without traceback, graph or SQL."""
    for known in (_IN_GRAPH, _IN_LAYER):
        if match := known.search(str(error)):
            return match[1].strip()
    lines = str(error).strip().splitlines() or [""]
    # A message of Beam's, or of AutoGraph's, is a whole traceback.
    return plain(lines[-1].strip() if lines[0].startswith(("Traceback", "in user code:")) else lines[0])


def plain(text: str) -> str:
    """Return the text of an error without the SQL that led to it."""
    return _SQL.sub(r"\1", text)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its cause, and so on."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _path(error: BaseException, text: str) -> str | None:
    """Return the file that the error names, if any."""
    system = next((cause for cause in chain(error) if isinstance(cause, OSError) and cause.filename), None)
    match = _PATH.search(text)
    return str(system.filename) if system else match[1] if match else None


def _full(config: Config, path: str | None) -> str:
    """Return the run's folders on a full file system; if none is full now, the folder of the file."""
    folders = [config.run_dir, run_dir.artifacts(config), run_dir.serving(config), tempfile.gettempdir()]
    local = list(dict.fromkeys(folder for folder in folders if not files.is_remote(folder)))
    full: dict[int, str] = {}
    nearest: dict[str, int] = {}
    for folder in local:
        existing = run_dir.existing(folder)
        usage, nearest[folder] = shutil.disk_usage(existing), os.stat(existing).st_dev
        if usage.free < _ROOM:
            full.setdefault(nearest[folder], f"the file system of {folder} ({usage.free / 1e6:.1f} MB free)")
    if not full and path:  # removing the incomplete files freed space
        device = os.stat(run_dir.existing(path)).st_dev
        local = [folder for folder in local if nearest[folder] == device][:1] or [path]
    return " and ".join(full.values()) or f"the file system of {' or '.join(local)}"
