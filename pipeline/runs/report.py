"""The input of the report, collected from result.json, ML Metadata and the artifacts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import ml_metadata as mlmd
import yaml
from absl import logging
from ml_metadata.proto import metadata_store_pb2 as pb
from pydantic import ValidationError

from components import files
from components.contracts.evaluation import Evaluation
from components.errors import UserError
from components.report.lost import Lost
from pipeline.config import Config
from pipeline.runs import result as results
from pipeline.runs import run_dir
from pipeline.tracking import metadata, server_setup, server_url

if TYPE_CHECKING:
    from components.report.run import Page, Step

INDEX_FILE = "index.html"  # of all runs, in the run directory
# The artifacts that the report reads, by stage and output key.
_READ = {
    "examples": ("ExampleGen", "examples"),
    "statistics": ("StatisticsGen", "statistics"),
    "schema": ("SchemaGen", "schema"),
    "anomalies": ("ExampleValidator", "anomalies"),
    "previous": ("PreviousData", "previous"),
    "model_run": ("Trainer", "model_run"),
    "evaluation": ("Evaluator", "evaluation"),
    "predictions": ("ServingCheck", "predictions"),
}


def make(config: Config, run_id: str) -> Path:
    """Write the report of a run that has its result.json, register it in ML Metadata, and list it in the index."""
    from components.report import build
    from components.report.run import Run

    folder = run_dir.of_run(config, run_id)
    path = folder / run_dir.REPORT_FILE
    result = results.read(folder / run_dir.RESULT_FILE)
    store = metadata.known_store(config)
    stages = metadata.stages(store, run_id)
    outputs = {name: metadata.latest_complete(stages, *where) for name, where in _READ.items()}
    outputs["baseline_predictions"] = _baseline_predictions(store, stages)
    artifacts = {name: artifact.uri for name, artifact in outputs.items() if artifact}
    evaluation, damage = _evaluation(artifacts.get("evaluation"), config.evaluator.confidence)
    build.build(
        Run(
            result=result,
            evaluation=evaluation,
            artifacts=artifacts,
            steps=_steps(store, stages),
            config=yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
            seed=config.seed,
            command=_command(config, folder),
            versions=result.versions,
            pages=_pages(config, run_id, store, stages),
            lost=damage,
        ),
        path,
    )
    if run := metadata.context_of(store, run_id):
        _register(store, run, path)
    make_index(config)
    return path


def make_index(config: Config) -> None:
    """Write the page of all runs, with links to their pages."""
    from components.report import index

    def page(file: Path) -> Path | None:
        return file if file.exists() else None

    entries, damaged = [], []
    for file in run_dir.results(config):
        try:
            result = results.read(file)
        except run_dir.DamagedRun as error:
            damaged.append(str(error))
            continue
        when, folder = run_dir.started(file.parent.name), file.parent
        report, card = page(folder / run_dir.REPORT_FILE), page(folder / run_dir.CARD_FILE)
        entries.append(index.Entry(result=result, when=when, report=report, card=card))
    compared = sorted(run_dir.comparisons(config).glob("*..*.html"))
    elsewhere = config.run_dir != Config.model_fields["run_dir"].default
    command = "image-pipeline compare FIRST SECOND --open"
    command += f" --run-dir {shlex.quote(config.run_dir)}" if elsewhere else ""
    index.build(entries, Path(config.run_dir).resolve() / INDEX_FILE, compared, damaged, command)


def index_page(config: Config) -> Page:
    """Return the page of all runs, for the links of other pages."""
    from components.report.run import Page

    return Page("All runs", Path(config.run_dir).resolve() / INDEX_FILE)


def make_if_possible(config: Config, run_id: str) -> str | None:
    """Write the report and return its path; None, with a traceback in the log, if that fails."""
    try:
        return str(make(config, run_id))
    except Exception:
        logging.exception("the report could not be made")
        return None


def _command(config: Config, folder: Path) -> str:
    """Return the command that repeats the run, with a placeholder for a password, which the configuration lacks."""
    command = f"image-pipeline run --config {shlex.quote(str(folder / run_dir.CONFIG_FILE))}"
    secret = config.metadata.url is not None and server_url.has_password(config.metadata.url.get_secret_value())
    return f"{command} --set metadata.url=env:NAME" if secret else command


def _steps(store: mlmd.MetadataStore, stages: dict[str, metadata.Stage]) -> list[Step]:
    from components.report.run import Artifact, Step

    events = metadata.events_of_executions(store, [stage.execution.id for stage in stages.values()])
    steps = []
    for name, stage in stages.items():
        read: list[Artifact] = []
        outputs: list[Artifact] = []
        resolves = stage.execution.type.endswith(
            ".Resolver"
        )  # a resolver has no outputs of its own: they are its inputs
        for event in events:
            if event.execution_id == stage.execution.id and event.artifact.state in metadata.COMPLETE:
                artifact = Artifact(event.artifact.id, event.key, event.artifact.type, event.artifact.uri)
                (outputs if event.is_output and not resolves else read).append(artifact)
        steps.append(Step(name, read, outputs))
    return steps


def _pages(config: Config, run_id: str, store: mlmd.MetadataStore, stages: dict[str, metadata.Stage]) -> list[Page]:
    """Return the pages that concern the run: of all runs, its card, its baseline's report, and its comparisons."""
    from components.report.run import Page

    pages = [Page("Model card", run_dir.of_run(config, run_id) / run_dir.CARD_FILE)]
    if model := metadata.latest_complete(stages, "Baseline", "model"):
        made = [event for event in metadata.events_of_artifacts(store, [model.id]) if event.is_output]
        runs = [metadata.run_of(store, event.execution_id) for event in made]
        pages += [Page("Baseline", run_dir.of_run(config, run) / run_dir.REPORT_FILE) for run in runs[:1] if run]
    for file in sorted(run_dir.comparisons(config).glob("*..*.html")):
        ids = file.stem.split("..")
        if run_id in ids:
            other = ids[0] if ids[1] == run_id else ids[1]
            pages.append(Page(f"Compared with {other}", file))
    return [
        index_page(config),
        *(page for page in pages if page.path.exists()),
    ]


def _evaluation(uri: str | None, confidence: float) -> tuple[Evaluation | None, dict[str, str]]:
    """Return the results in the artifact, and a line if they are damaged."""
    if uri is None or not files.exists(uri):
        return None, {}
    from components.contracts import evaluation

    missed = Lost()
    measured = missed.read("evaluation", uri, lambda at: evaluation.read(at, confidence))
    return measured, ({"evaluation": missed.notes[0]} if missed.notes else {})


def _baseline_predictions(store: mlmd.MetadataStore, stages: dict[str, metadata.Stage]) -> metadata.Artifact | None:
    """Return the recorded predictions of the baseline, from the run in which it was the candidate."""
    model = metadata.latest_complete(stages, "Baseline", "model")
    if model is None:
        return None
    readers = {event.execution_id for event in metadata.events_of_artifacts(store, [model.id]) if not event.is_output}
    events = metadata.events_of_executions(store, readers)
    predictions = [event.artifact for event in events if event.is_output and event.key == "predictions"]
    return next((artifact for artifact in reversed(predictions) if artifact.state in metadata.COMPLETE), None)


def _register(store: mlmd.MetadataStore, run: pb.Context, path: Path) -> None:
    """Record the report as an artifact of the run, unless it is recorded."""
    if store.get_artifacts_by_uri(str(path)):
        return
    artifact = pb.Artifact(
        type_id=store.put_artifact_type(pb.ArtifactType(name=server_setup.REPORT)),
        uri=str(path),
        state=pb.Artifact.LIVE,
    )
    execution = pb.Execution(
        type_id=store.put_execution_type(pb.ExecutionType(name=server_setup.REPORT)),
        last_known_state=pb.Execution.COMPLETE,
    )
    store.put_execution(execution, [(artifact, metadata.new_event(pb.Event.OUTPUT, "report"))], [run])


def of_run(config: Config, folder: Path) -> Config:
    """Return the run's configuration with the current path of the run directory.

    Raises:
      UserError: the run was made by a version of this project with other keys.
    """
    had = run_dir.read_config(folder)
    try:
        return Config.model_validate(had | {"run_dir": config.run_dir, "metadata": config.metadata})
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(
            f"run {folder.name} was made by another version of this project, whose key '{key}' this one does not read: "
            f"its report cannot be written again; the one written then is {folder / run_dir.REPORT_FILE}"
        ) from None
