"""Run the pipeline on this machine, on TFX's BeamDagRunner, and write its result."""

from __future__ import annotations

import contextlib
import logging
import signal
import traceback
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import yaml

from components import files, progress
from components.contracts import run_result
from components.contracts.run_result import ExitCode, Result
from components.errors import Damaged, GateRefused, UserError
from components.example_gen import sources
from components.example_gen.formats.base import Source
from components.imports import gc_paused
from components.trainer.networks import weights
from pipeline import ALL_STAGES, curated_schema, fingerprint
from pipeline.config import Config
from pipeline.output import duplicated_stream, redirect_output, shown_log
from pipeline.platforms import stage_table
from pipeline.platforms.local import signals
from pipeline.platforms.local.isolation import isolated
from pipeline.platforms.stage_table import StageTable
from pipeline.runs import consistency, faults, repair, report, run_dir
from pipeline.runs.result import RunState, collect_result, list_findings
from pipeline.tracking import metadata

if TYPE_CHECKING:
    from pipeline.platforms.local.dag_runner import StageReport


def run(
    config: Config,
    first_stage: str | None,
    last_stage: str | None,
    out: TextIO,
    fetched: list[str] | None = None,
    verbose: bool = False,
) -> Result:
    """Run the chain, or its stages from `first_stage` to `last_stage`, and show the progress on `out`.

    Args:
      fetched: what sources.fetch said of the data; None where it is still to be fetched.
      verbose: whether the log is shown on `out` too.

    Raises:
      UserError: a mistake that shows before the first stage starts.
    """
    for option, stage in (("--from", first_stage), ("--to", last_stage)):
        if stage and stage not in stages_of(config):
            asks = {"WarmStart": "--warm-start", "Tuner": "--tune N"}[stage]
            raise UserError(f"{option} {stage}: that stage is only in a run with {asks}")
    source = sources.locate(config.data.source, config.data.cache_dir)
    metadata.connection(config)  # an invalid URL is refused before anything is created
    run_dir.create(config)
    with signals.raised() as stop_signals, run_dir.locked(config) as lock:
        consistency.check(config)
        if lock.died and (cleaned := repair.fix(config)):
            print(f"cleaned   what a killed run left behind: {cleaned}", file=out)
        if first_stage:
            _base_run(config, first_stage)
        if config.warm_start:
            _check_there_is_a_blessed_model(config)
        run_id = run_dir.new_id()
        folder = run_dir.of_run(config, run_id)
        folder.mkdir(parents=True)
        stored = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
        files.write_atomic(folder / run_dir.CONFIG_FILE, stored)
        log = folder / run_dir.LOG_FILE
        # The terminal is kept for the screen; whatever the libraries print goes to the log.
        with (
            duplicated_stream(out) as terminal,
            stage_table.make(stages_of(config), terminal) as screen,
            redirect_output(log),
            isolated(),
            shown_log(log, screen.line) if verbose else nullcontext(),
        ):
            state = RunState(run_id, log)
            try:
                _RunObserver(screen, state, stop_signals).run(config, source, first_stage, last_stage, fetched)
            except (Exception, KeyboardInterrupt) as error:
                state.error = state.error or error  # Beam makes another of it
                if isinstance(state.error, KeyboardInterrupt):
                    state.signal = stop_signals.number or getattr(state.error, "number", signal.SIGINT)
                with contextlib.suppress(OSError):  # the disk may be full
                    traceback.print_exception(error)  # into the log
            with stop_signals.deferred():
                result = _end(config, state, lock)
            if result.stages:  # of an interrupted run too: a second signal ends the process at once
                try:
                    screen.status("writing the report")
                    result.report = report.make_if_possible(config, run_id)
                    screen.status("")
                except KeyboardInterrupt:  # the run is over: a push, for example, is done
                    logging.warning("a signal stopped the report")
            _write(config, result, lock)
    return result


def _end(config: Config, state: RunState, lock: run_dir.Lock) -> Result:
    """Write and return the result of the run; an error here does not hide an earlier one."""
    if state.error:
        try:
            repair.fix(config, [state.run_id])
        except Exception:
            logging.exception("what the run left incomplete cannot be removed")
            lock.mark = True
    try:
        list_findings(config, state)
    except Exception:  # for example a full disk: how the run ended is to be reported all the same
        logging.exception("the findings cannot be listed")
    result = collect_result(config, state)
    _write(config, result, lock)
    return result


def _write(config: Config, result: Result, lock: run_dir.Lock) -> None:
    try:
        run_result.write(run_dir.of_run(config, result.run_id) / run_dir.RESULT_FILE, result)
    except OSError as error:
        lock.mark = True
        if result.exit_code == ExitCode.DONE:
            result.exit_code = ExitCode.FAILED
        why = faults.in_words(error, config) or str(error)
        result.why += [] if result.why else [f"the result cannot be written: {why}"]


def stages_of(config: Config) -> list[str]:
    """Return the stages of a run, in the order of the chain."""
    absent = {"WarmStart": not config.warm_start, "Tuner": not config.tuner.trials}
    return [stage for stage in ALL_STAGES if not absent.get(stage)]


class _RunObserver:
    """An observer of the stages that updates the screen and the state."""

    def __init__(self, screen: StageTable, state: RunState, stop_signals: signals.Signals) -> None:
        self._screen, self._state, self._stop_signals = screen, state, stop_signals
        self._schema = ""

    def run(
        self, config: Config, source: Source, first: str | None, last: str | None, fetched: list[str] | None
    ) -> None:
        if fetched is None:
            fetched = sources.fetch(source, partial(self._screen.transfer, f"downloading {source.pattern}"))
        self._state.notes += fetched
        weights.fetch(
            config.trainer.network,
            config.trainer.weights,
            config.data.cache_dir,
            partial(self._screen.transfer, f"downloading the weights of {config.trainer.network}"),
        )
        self._screen.status("loading TensorFlow and TFX")
        if config.trainer.strategy not in ("auto", "cpu"):
            from components.trainer import strategy

            # Fail now if it is missing, not after the data was read.
            strategy.make_strategy(config.trainer.strategy, config.trainer.tpu)
        ir = compile_ir(config, source)
        self._schema = curated_schema.describe(config)
        run_options = None
        if first or last:
            from tfx.proto.orchestration import pipeline_pb2

            run_options = pipeline_pb2.RunOptions()
            part = run_options.partial_run
            if first:  # by id: TFX would take the latest by the clock, which may have been set back
                part.snapshot_settings.base_pipeline_run_strategy.base_run_id = _base_run(config, first)
            else:
                part.snapshot_settings.latest_pipeline_run_strategy.SetInParent()
            part.from_nodes.extend([first] if first else [])
            part.to_nodes.extend([last] if last else [])
        from absl import logging
        from tfx.orchestration.portable import runtime_parameter_utils

        from pipeline.platforms.local import dag_runner

        logging.set_verbosity(logging.INFO)  # the log is read when something went wrong, so nothing is filtered
        runtime_parameter_utils.substitute_runtime_parameter(ir, {"pipeline-run-id": self._state.run_id})
        progress.listen(self._screen.progress)
        server: AbstractContextManager[None] = nullcontext()
        connection = metadata.connection(config)
        if config.metadata.url:
            from pipeline.tracking import server_setup

            server = server_setup.on_server(metadata.open_store(config), connection.WhichOneof("config"), ir)
        try:
            with server:
                dag_runner.run(ir, run_options, self, connection)
        finally:
            progress.listen(None)

    def warned(self, text: str) -> None:
        self._state.warnings.append(text)

    def started(self, stage: str) -> None:
        self._stop_signals.check()
        progress.start()
        self._screen.started(stage)
        if stage == "SchemaGen":
            progress.report(self._schema)

    def ended(self, stage: str, report: StageReport, error: BaseException | None) -> None:
        self._state.stages[stage] = report.to_json()
        if error is not None:
            self._state.failed_stage, self._state.error = stage, _cause(error)
            ends = {GateRefused: "refused", KeyboardInterrupt: "interrupted"}
            state = next((end for kind, end in ends.items() if isinstance(self._state.error, kind)), "failed")
            self._state.stages[stage]["state"] = state
        self._screen.ended(stage, self._state.stages[stage]["state"], report.seconds)


@gc_paused()
def compile_ir(config: Config, source: Source) -> Any:
    """Return the pipeline in TFX's intermediate representation, each stage with the fingerprint of its code."""
    from tfx.dsl.compiler import compiler

    from pipeline.platforms.local.platform import LocalPlatform
    from pipeline.stages import create_pipeline, read_schema

    pipeline = create_pipeline(config, source, LocalPlatform(config))
    ir = compiler.Compiler().compile(pipeline)
    curated = read_schema(config)
    contents = {"SchemaGen": files.read_bytes(curated)} if curated else {}
    prints = {node.id: fingerprint.of_stage(node, content=contents.get(node.id, b"")) for node in pipeline.components}
    for node in ir.nodes:
        parameters = node.pipeline_node.parameters.parameters
        parameters["code_fingerprint"].field_value.string_value = prints[node.pipeline_node.node_info.id]
    return ir


def _base_run(config: Config, first: str) -> str:
    """Return the id of the latest run; its stages before `first` are reused.

    Latest by its number in ML Metadata: TFX would go by the clock, which may have been set back. An older run is not
    taken in its place, because it may have read other data.

    Raises:
      UserError: there is none, or a stage before `first` is missing in it.
    """
    latest, stages_of_latest = next(metadata.own_runs(config), (None, {}))
    if latest is None:
        where = f"no previous run of '{config.name}' in {config.run_dir} to resume from"
        raise UserError(f"--from {first}: {where}; run the full pipeline first")
    completed = {name for name, stage in stages_of_latest.items() if stage.state in ("complete", "cached")}
    stages = stages_of(config)
    missing = [stage for stage in stages[: stages.index(first)] if stage not in completed]
    if missing:
        raise UserError(
            f"--from {first}: the latest run of '{config.name}', {latest.id}, ended before {missing[0]}; "
            f"use --from {missing[0]}, or run the full pipeline"
        )
    return latest.id


def _check_there_is_a_blessed_model(config: Config) -> None:
    for _, stages in metadata.own_runs(config):
        blessings = stages["Evaluator"].outputs.get("blessing", []) if "Evaluator" in stages else []
        if any(metadata.property_value(blessing, "blessed") == 1 for blessing in blessings):
            return
    raise UserError(
        f"--warm-start: no blessed model of '{config.name}' in {config.run_dir} to start from; run without it first"
    )


def _cause(error: BaseException) -> BaseException:
    """Return this project's exception that caused an exception, else the exception itself."""
    own = (UserError, Damaged, GateRefused, KeyboardInterrupt)
    return next((cause for cause in faults.chain(error) if isinstance(cause, own)), error)
