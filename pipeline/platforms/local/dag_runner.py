"""TFX's BeamDagRunner, watched: an observer hears when each stage starts and how it ends."""

from __future__ import annotations

import contextlib
import functools
import itertools
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner, PipelineNodeAsDoFn
from tfx.orchestration.portable import launcher, partial_run_utils
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator
from tfx.orchestration.portable.mlmd import store_ext
from tfx.proto.orchestration.executable_spec_pb2 import BeamExecutableSpec
from tfx.types import artifact_utils

from components import files
from components.errors import UserError
from components.pusher import manifest
from pipeline.tracking.metadata import OUTPUTS_OF_OTHERS

# The DAG itself is a Beam pipeline made without options; Beam's own default would first try to download a runner.
StandardOptions.DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"

_STATES = metadata_store_pb2.Execution


@dataclass(frozen=True)
class StageReport:
    """The outcome and cost of a stage."""

    state: str  # done, cached or failed
    seconds: float
    cpu_seconds: float  # of this process and of those that it waited for
    peak_bytes: int  # largest resident size of this process while the stage ran

    def to_json(self) -> dict[str, Any]:
        return {key: round(value, 2) if isinstance(value, float) else value for key, value in asdict(self).items()}


class Observer(Protocol):
    def warned(self, text: str) -> None: ...

    def started(self, stage: str) -> None: ...

    def ended(self, stage: str, report: StageReport, error: BaseException | None) -> None: ...


class StageFailedError(Exception):
    """TFX abandoned a stage without an exception, for example because its inputs cannot be resolved."""


# Module-level: Beam pickles the DoFn, but runs it in this process.
_observer: Observer | None = None
_connection: metadata_store_pb2.ConnectionConfig | None = None


class _Options(PipelineOptions):
    @functools.cache  # noqa: B019 (one for each stage on Beam)
    def view_as(self, cls: type[PipelineOptions]) -> PipelineOptions:
        """Cache the view: Beam asks for a few of them a thousand times, and parses the arguments each time."""
        return super().view_as(cls)


class _BeamOperator(BeamExecutorOperator):
    def run_executor(self, execution_info: Any) -> Any:
        def make_pipeline() -> beam.Pipeline:
            return beam.Pipeline(options=_Options(self.beam_pipeline_args))

        return super().run_executor(execution_info, make_pipeline)


# The launchers that replace TFX's operators, by kind of stage.
EXECUTOR_OPERATORS = {BeamExecutableSpec: _BeamOperator}


class _Launcher(launcher.Launcher):
    def _run_executor(self, execution_info: Any) -> Any:
        """See the base class, which makes the folders of the outputs where there are none, and else uses what is there.

        Raises:
          UserError: there is something in them: it would be taken for a part of the output.
        """
        for artifact in itertools.chain(*execution_info.output_dict.values()):
            if files.names(artifact.uri):
                self._disown_outputs(execution_info.execution_id)
                raise UserError(
                    f"{artifact.uri} is not empty: another run directory, or another ML Metadata, writes its artifacts "
                    "there too. Set artifacts_dir to a folder of this run directory's own, or move that one away"
                )
        return super()._run_executor(execution_info)

    def _disown_outputs(self, execution_id: int) -> None:
        """Record that what lies in the output folders is not of this execution: repair.py must leave it."""
        with self._mlmd_connection as handle:
            (execution,) = handle.store.get_executions_by_id([execution_id])
            execution.custom_properties[OUTPUTS_OF_OTHERS].int_value = 1
            handle.store.put_executions([execution])


class _Node(PipelineNodeAsDoFn):
    def _run_node(self) -> None:
        assert _observer is not None
        _observer.started(self._node_id)
        meter = _Meter()
        try:
            state = self._launch()
            if state == _STATES.FAILED:
                raise StageFailedError(f"{self._node_id} could not be prepared; TFX's message is in the log")
        except BaseException as error:
            _observer.ended(self._node_id, meter.report("failed"), error)
            raise
        _observer.ended(self._node_id, meter.report("cached" if state == _STATES.CACHED else "done"), None)

    def _launch(self) -> int:
        """Run the node as TFX does, with our operators; return the state in which the execution ended."""
        connection = _connection or self._mlmd_connection_config
        if self._pipeline_node.execution_options.run.perform_snapshot:  # the first of a partial run
            with metadata.Metadata(connection) as handle:
                partial_run_utils.snapshot(handle, self._pipeline)
        execution = _Launcher(
            pipeline_node=self._pipeline_node,
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=self._pipeline_info,
            pipeline_runtime_spec=self._pipeline_runtime_spec,
            executor_spec=self._executor_spec,
            custom_driver_spec=self._custom_driver_spec,
            custom_executor_operators=EXECUTOR_OPERATORS,
        ).launch()
        with metadata.Metadata(connection) as handle:
            return handle.store.get_executions_by_id([execution.execution_id])[0].last_known_state


class ObservedDagRunner(BeamDagRunner):
    _PIPELINE_NODE_DO_FN_CLS = _Node


def run(
    ir: Any,
    run_options: Any,
    observer: Observer,
    connection: metadata_store_pb2.ConnectionConfig | None = None,
) -> None:
    """Run the compiled pipeline to its end; an exception of a stage ends it.

    `connection` is to ML Metadata; that of the pipeline if None, which TFX logs and which so must hold no password.
    """
    global _observer, _connection
    _observer, _connection = observer, connection
    try:
        with _pushed_models_checked(), _clock_ignored():
            ObservedDagRunner().run_with_ir(ir, run_options=run_options)
    finally:
        _observer = _connection = None


@contextlib.contextmanager
def _clock_ignored() -> Iterator[None]:
    """Have TFX look for inputs among all executions, not only those that the clock calls no older than their artifacts.

    If the clock was set back, an artifact from the cache is newer than the execution that reuses it, and its readers
    would have no input.
    """
    find = store_ext.get_node_executions

    def find_all(*args: Any, **named: Any) -> Any:
        return find(*args, **named | {"min_last_update_time_since_epoch": None})

    store_ext.get_node_executions = find_all
    try:
        yield
    finally:
        store_ext.get_node_executions = find


@contextlib.contextmanager
def _pushed_models_checked() -> Iterator[None]:
    """Have TFX's cache check that a pushed model is still complete, not only that its artifact exists.

    The artifact only has the destination. A model that was removed or damaged there is pushed again.
    """
    verify = artifact_utils.verify_artifacts
    damages: dict[str, str] = {}  # what is wrong with each version that was looked at

    def verify_pushed(artifacts: Any) -> None:
        verify(artifacts)
        for artifact in itertools.chain(*artifacts.values()) if isinstance(artifacts, dict) else []:
            path = artifact.get_string_custom_property("pushed_destination")
            if not path:
                continue
            if path not in damages:
                damages[path] = manifest.damage(path)
                if damages[path] and _observer:
                    version = artifact.get_string_custom_property("pushed_version")
                    _observer.warned(
                        f"version {version}, pushed before, is no longer complete: {path}: {damages[path]}"
                    )
            # Nor is an older one enough: it lies behind the one that is damaged.
            if any(damages.values()):
                raise RuntimeError(f"{path}: {damages}")

    artifact_utils.verify_artifacts = verify_pushed
    try:
        yield
    finally:
        artifact_utils.verify_artifacts = verify


class _Meter:
    """Measures seconds, CPU seconds and peak memory from its creation to its report."""

    def __init__(self) -> None:
        self._began, self._cpu = time.monotonic(), _cpu_seconds()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, on Linux

    def report(self, state: str) -> StageReport:
        peak = 0
        try:
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak = int(line.split()[1]) * 1024
        except OSError:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return StageReport(state, time.monotonic() - self._began, _cpu_seconds() - self._cpu, peak)


def _cpu_seconds() -> float:
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
