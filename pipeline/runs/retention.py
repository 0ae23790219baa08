"""`gc`: removes what neither the newest runs nor the served versions need; see docs/questions.md for what that is."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import ml_metadata as mlmd

from components import files
from components.contracts import model
from components.errors import UserError
from pipeline.config import Config
from pipeline.output import short
from pipeline.runs import report, run_dir
from pipeline.tracking import metadata, serving
from pipeline.tracking.metadata import Artifact
from pipeline.tracking.server_setup import REPORT


@dataclasses.dataclass(frozen=True)
class Removal:
    """A file or folder to remove, and the artifacts of ML Metadata in it."""

    kind: str
    path: str
    artifacts: list[Artifact] = dataclasses.field(default_factory=list)


def run(config: Config, keep: int, dry_run: bool) -> int:
    """Remove (or only print) what the `keep` newest runs of each pipeline and the served versions do not need.

    Raises:
      UserError: there are no runs, one is running, or something cannot be removed.
    """
    store = metadata.known_store(config)
    with run_dir.locked(config):
        removals = _plan(config, store, keep)
        total = 0
        for removal in removals:
            size = files.bytes_below(removal.path)
            total += size
            print(f"{removal.kind:<10} {size / 1e6:9.2f} MB  {short(removal.path)}")
            if not dry_run:
                _remove(store, removal)
        if not dry_run and removals:
            report.make_index(config)
    verb = "would be removed" if dry_run else "removed"
    print(f"{len(removals):,} {verb}, {total / 1e6:,.2f} MB" if removals else "nothing to remove")
    return 0


def _remove(store: mlmd.MetadataStore, removal: Removal) -> None:
    """Mark the artifacts as deleted in ML Metadata, then remove the files: a LIVE artifact always has its files."""
    gone = [artifact for artifact in removal.artifacts if artifact.state != Artifact.DELETED]
    for artifact in gone:
        artifact.state = Artifact.DELETED
    if gone:
        store.put_artifacts(gone)
    try:
        files.remove(removal.path)
        if removal.kind == "artifact" and not files.is_remote(removal.path):
            # <stage>/<key>/<execution>, beside which TFX has left empty <stage>/.system/<what>/<execution>
            stage, execution = Path(removal.path).parents[1], Path(removal.path).name
            for leftover in stage.glob(f".system/*/{execution}"):
                files.remove(str(leftover))
    except OSError as error:
        raise UserError(f"cannot remove {removal.path}: {files.error_reason(error)}") from None


def _plan(config: Config, store: mlmd.MetadataStore, keep: int) -> list[Removal]:
    runs = metadata.runs(store)
    counted: Counter[str] = Counter()
    newest = []
    for run in runs:
        counted[run.pipeline] += 1
        newest += [run] if counted[run.pipeline] <= keep else []
    if not newest:
        return []
    history = _History(store, runs)
    pushed = store.get_artifacts_by_type(serving.PUSHED)
    versions = list(_surplus_versions(config, pushed))
    surplus = {removal.path for removal in versions}
    paths = {artifact.id: serving.destination(artifact) for artifact in pushed}
    served = [number for number, path in paths.items() if path and path not in surplus and files.exists(path)]
    kept_runs = {run.id for run in newest} | {run_id for number in served for run_id in history.first_run(number)}
    kept_runs |= history.latest("ModelBlessing", "blessed") | history.latest("DataFindings")
    kept_runs |= history.running() - set(run_dir.run_ids(config))
    needed = history.needed(kept_runs)
    gone = {artifact.id for removal in versions for artifact in removal.artifacts}
    removals = [
        *versions,
        *_artifacts(config, history.artifacts.values(), needed - gone),
        *_pages(config, store, kept_runs, min(run.id for run in newest)),
        *_checkpoints(config, min(run.id for run in newest)),
    ]
    return [removal for removal in removals if files.exists(removal.path)]


class _History:
    """The inputs and outputs of all runs, in a few queries."""

    def __init__(self, store: mlmd.MetadataStore, runs: list[metadata.Run]) -> None:
        self._runs = runs
        self._executions = {run.id: store.get_executions_by_context(run.context_id) for run in runs}
        every = {execution.id for executions in self._executions.values() for execution in executions}
        self._events: dict[int, list[metadata.Event]] = {}
        for event in metadata.events_of_executions(store, every):
            self._events.setdefault(event.execution_id, []).append(event)
        self.artifacts = {event.artifact.id: event.artifact for events in self._events.values() for event in events}

    def _of_run(self, run_id: str) -> Iterator[metadata.Event]:
        for execution in self._executions[run_id]:
            yield from self._events.get(execution.id, [])

    def first_run(self, artifact_id: int) -> list[str]:
        """Return the run that wrote an artifact; later runs took it from the cache."""
        runs = (
            run.id for run in reversed(self._runs) for event in self._of_run(run.id) if event.artifact.id == artifact_id
        )
        return [run_id for run_id in [next(runs, None)] if run_id]

    def latest(self, kind: str, needs: str | None = None) -> set[str]:
        """Return the run of the artifact that each pipeline's next run is compared with."""
        newest: dict[str, tuple[int, str]] = {}
        for run in self._runs:
            for event in self._of_run(run.id):
                artifact = event.artifact
                good = artifact.type == kind and event.is_output and artifact.state == Artifact.LIVE
                if good and (needs is None or metadata.property_value(artifact, needs) == 1):
                    newest[run.pipeline] = max(newest.get(run.pipeline, (0, "")), (artifact.id, run.id))
        return {run_id for _, run_id in newest.values()}

    def running(self) -> set[str]:
        """Return the runs that have not ended; those of this run directory, whose lock is held, were killed."""
        return {run_id for run_id, executions in self._executions.items() if metadata.left_running(executions)}

    def needed(self, run_ids: Iterable[str]) -> set[int]:
        """Return the artifacts that these runs read and wrote, and the predictions recorded of their models."""
        needed = {event.artifact.id for run_id in run_ids for event in self._of_run(run_id)}
        for events in self._events.values():
            if any(event.key == "model" and not event.is_output and event.artifact.id in needed for event in events):
                needed |= {event.artifact.id for event in events if event.is_output and event.key == "predictions"}
        return needed


def _artifacts(config: Config, every: Iterable[Artifact], needed: set[int]) -> Iterator[Removal]:
    """Yield the artifacts in this run directory that are not needed and contain none that is."""
    root = os.path.dirname(run_dir.artifacts(config).rstrip("/")) + "/"
    every = list(every)
    holds = [artifact.uri for artifact in every if artifact.id in needed]
    by_uri: dict[str, list[Artifact]] = {}
    for artifact in every:
        if artifact.id not in needed and artifact.uri.startswith(root) and artifact.state in metadata.COMPLETE:
            by_uri.setdefault(artifact.uri, []).append(artifact)
    for uri, artifacts in sorted(by_uri.items(), key=lambda item: item[1][0].id):
        if not any(f"{held}/".startswith(f"{uri}/") or f"{uri}/".startswith(f"{held}/") for held in holds):
            yield Removal("artifact", uri, artifacts)


def _surplus_versions(config: Config, pushed: Iterable[Artifact]) -> Iterator[Removal]:
    """Yield the versions beyond the `serving.keep` highest of each model, of those that ML Metadata has."""
    root = os.path.dirname(run_dir.serving(config).rstrip("/"))
    ours: dict[str, dict[str, list[Artifact]]] = {}
    for artifact in pushed:
        path = serving.destination(artifact)
        base, _, version = path.rpartition("/")
        if version and os.path.dirname(base) == root:
            ours.setdefault(base, {}).setdefault(version, []).append(artifact)
    for base, versions in sorted(ours.items()):
        for number in model.versions(base)[config.serving.keep :] if config.serving.keep else []:
            if str(number) in versions:
                yield Removal("version", f"{base}/{number}", versions[str(number)])


def _pages(config: Config, store: mlmd.MetadataStore, kept_runs: set[str], oldest: str) -> Iterator[Removal]:
    """Yield reports, cards and logs of runs that are not kept, and comparisons with them; results stay."""
    reports: dict[str, list[Artifact]] = {}
    for artifact in store.get_artifacts_by_type(REPORT):
        reports.setdefault(artifact.uri, []).append(artifact)

    def stays(run_id: str) -> bool:
        return run_id in kept_runs or run_id >= oldest  # one that failed at once is unknown to ML Metadata

    card = Path(run_dir.CARD_FILE)
    for run_id in sorted(run_dir.run_ids(config)):
        if not stays(run_id):
            folder = run_dir.of_run(config, run_id)
            cards = (card.name, card.with_suffix(".md").name)
            for name in (run_dir.REPORT_FILE, *run_dir.TABLES, run_dir.LOG_FILE, *cards):
                path = str(folder / name)
                yield Removal("page" if name != run_dir.LOG_FILE else "log", path, reports.get(path, []))
    for file in sorted(run_dir.comparisons(config).glob("*..*.html")):
        if not all(stays(run_id) for run_id in file.stem.split("..")):
            yield Removal("page", str(file))


def _checkpoints(config: Config, oldest: str) -> Iterator[Removal]:
    """Yield the checkpoints of trainings that were stopped before the oldest of the newest runs began."""
    began = run_dir.started(oldest)
    folder = run_dir.checkpoints(config)
    for checkpoint in sorted(folder.iterdir()) if folder.is_dir() and began else []:
        times = [path.stat().st_mtime for path in (checkpoint, *checkpoint.rglob("*"))]
        if began and datetime.fromtimestamp(max(times)) < began:
            yield Removal("checkpoint", str(checkpoint))
