"""Collect and read the result of a run: the object of `run --json` and of result.json."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
from pathlib import Path
from typing import Any

import ml_metadata as mlmd

from components.contracts import advice, counts, evaluation, features, findings, run_result, training, tuning
from components.contracts import serving as serving_report
from components.contracts.run_result import ExitCode, Result
from components.errors import Damaged, GateRefused, UserError
from components.report.lost import Lost
from components.versions import versions
from pipeline import ALL_STAGES
from pipeline.config import Config
from pipeline.runs import faults, run_dir
from pipeline.tracking import metadata, serving


@dataclasses.dataclass
class RunState:
    """The state of a run while it is running."""

    run_id: str
    log: Path
    stages: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)  # see dag_runner.StageReport
    failed_stage: str | None = None
    error: BaseException | None = None
    warnings: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)  # how the source was fetched
    signal: int | None = None  # that ended it


def read(path: Path) -> Result:
    """Read the result of a run.

    Raises:
      run_dir.DamagedRun: it is not readable as that.
    """
    try:
        return run_result.read(path)
    except OSError as error:
        raise run_dir.DamagedRun(path, error.strerror or str(error)) from None
    except ValueError:
        raise run_dir.DamagedRun(path, "its end is missing, or it was written over") from None


def collect_result(config: Config, state: RunState) -> Result:
    """Collect the result of a run, however it ended, from ML Metadata and the artifacts."""
    result = Result(
        run_id=state.run_id,
        name=config.name,
        source=config.data.source,
        preset=config.preset,
        exit_code=ExitCode.DONE,
        log=str(state.log),
        artifacts=run_dir.artifacts(config),
        stages={name: state.stages[name] for name in ALL_STAGES if name in state.stages},
        versions=versions(),
    )
    try:
        _add_what_was_made(result, config)
    except Exception as error:  # for example a full disk: the earlier error is the one to report
        logging.exception("what the run has made cannot be read")
        state.error = state.error or error
    result.epochs = list(getattr(state.error, "epochs", ()))
    if number := state.signal:
        where = state.failed_stage in ("Trainer", "Tuner") and str(state.error or "")
        more = [f"training resumes after {where}"] if where else []
        by = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        result.exit_code = 128 + number
        result.why = [f"interrupted by {by}: run the same command to resume", *more]
    elif isinstance(state.error, GateRefused):
        result.findings = findings.with_few_examples(state.error.findings)
        result.exit_code = ExitCode.REFUSED
        result.why = [finding.message for finding in result.findings if finding.action == findings.STOP]
        result.warnings = [finding.message for finding in result.findings if finding.action != findings.STOP]
    elif isinstance(state.error, UserError):
        result.exit_code, result.why = ExitCode.USAGE_ERROR, str(state.error).splitlines()
    elif isinstance(state.error, Damaged):
        result.exit_code, result.why = ExitCode.FAILED, [str(state.error)]
    elif state.error is not None:
        stage = state.failed_stage or "the run"
        why = faults.in_words(state.error, config) or f"{type(state.error).__name__}: {faults.reason(state.error)}"
        result.exit_code, result.why = ExitCode.FAILED, [f"{stage} failed: {why}"]
    elif result.blessed is False or (result.pushed is None and "Pusher" in state.stages):
        result.exit_code = ExitCode.REFUSED
    result.warnings += state.warnings
    result.notes = [*state.notes, *result.notes]
    return result


def list_findings(config: Config, state: RunState) -> None:
    """Write the table of the images that the gate found, beside the run's log; nothing if it found nothing."""
    stages = metadata.stages(metadata.open_store(config), state.run_id)
    accepted = metadata.latest_live(stages, "DataGate", "findings")
    if isinstance(state.error, GateRefused):
        found = [findings.Finding(**finding) for finding in state.error.findings]
    else:
        found = findings.read(accepted.uri) if accepted else []
    if found:
        examples = metadata.latest_live(stages, "ExampleGen", "examples")
        findings.write_csv(state.log.with_name(findings.CSV_FILE), found, examples.uri if examples else None)


def _add_what_was_made(result: Result, config: Config) -> None:
    store = metadata.open_store(config)
    stages = metadata.stages(store, result.run_id)
    if examples := metadata.latest_live(stages, "ExampleGen", "examples"):
        counted = counts.read(examples.uri)
        result.counts, result.notes = counted.totals(), counted.notes
    if artifact := metadata.latest_live(stages, "DataGate", "findings"):
        result.findings = findings.with_few_examples(findings.read(artifact.uri))
        result.warnings = [finding.message for finding in result.findings]
    if trials := metadata.latest_live(stages, "Tuner", "tuner_results"):
        result.trials = tuning.read_trials(trials.uri)
    if artifact := metadata.latest_live(stages, "Trainer", "model_run"):
        record = Lost().read("training", artifact.uri, training.read)
        gap = record and advice.gap(record, (result.counts or {}).get(features.VALIDATION, 0))
        result.advice = [gap] if gap else []
    _add_verdict(result, store, stages, config)


def _add_verdict(result: Result, store: mlmd.MetadataStore, stages: dict[str, metadata.Stage], config: Config) -> None:
    blessing = metadata.latest_live(stages, "Evaluator", "blessing")
    evaluated = metadata.latest_live(stages, "Evaluator", "evaluation")
    if blessing is not None and evaluated is not None:
        result.blessed = metadata.property_value(blessing, "blessed") == 1
        result.metrics = evaluation.read(evaluated.uri, config.evaluator.confidence).summary()
        if not result.blessed:
            result.why = evaluation.failures(evaluated.uri)
    served = metadata.latest_live(stages, "ServingCheck", "blessing")
    if served is not None and metadata.property_value(served, "blessed") != 1:
        result.why += serving_report.read(served.uri).reasons
        result.blessed = False
    pushed = metadata.latest_live(stages, "Pusher", "pushed_model")
    if pushed is not None and metadata.property_value(pushed, "pushed") == 1:
        version = str(metadata.property_value(pushed, "pushed_version"))
        result.pushed = {"version": version, "path": serving.destination(pushed)}
        result.served = serving.now(store, os.path.dirname(result.pushed["path"]))
