"""TFX's BeamDagRunner, watched: an observer hears when each stage starts and how it ends."""

from __future__ import annotations

import contextlib
import resource
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from apache_beam.options.pipeline_options import StandardOptions
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner, PipelineNodeAsDoFn

# The DAG itself is a Beam pipeline made without options; Beam's own default would first try to download a runner.
StandardOptions.DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"

_STATES = metadata_store_pb2.Execution


@dataclass(frozen=True)
class StageReport:
    """What one stage did and what it cost."""

    state: str  # done, cached or failed
    seconds: float
    cpu_seconds: float  # of this process and of those that it waited for
    peak_bytes: int  # largest resident size of this process while the stage ran

    def to_json(self) -> dict[str, Any]:
        return {key: round(value, 2) if isinstance(value, float) else value for key, value in asdict(self).items()}


class Observer(Protocol):
    def started(self, stage: str) -> None: ...

    def ended(self, stage: str, report: StageReport, error: BaseException | None) -> None: ...


class StageFailedError(Exception):
    """TFX gave a stage up without an exception, for example when its inputs cannot be resolved."""


_observer: Observer | None = None  # module-level: Beam pickles the DoFn, but runs it in this process


class _Node(PipelineNodeAsDoFn):
    def _run_node(self) -> None:
        assert _observer is not None
        _observer.started(self._node_id)
        meter = _Meter()
        try:
            super()._run_node()
            state = self._last_state()
            if state == _STATES.FAILED:
                raise StageFailedError(f"{self._node_id} could not be prepared; TFX's message is in the log")
        except BaseException as error:
            _observer.ended(self._node_id, meter.report("failed"), error)
            raise
        _observer.ended(self._node_id, meter.report("cached" if state == _STATES.CACHED else "done"), None)

    def _last_state(self) -> int:
        """Of this stage's latest execution; TFX returns nothing that says whether the cache was used."""
        node = f"{self._pipeline_info.id}.{self._node_id}"
        with metadata.Metadata(self._mlmd_connection_config) as handle:
            context = handle.store.get_context_by_type_and_name("node", node)
            executions = handle.store.get_executions_by_context(context.id) if context else []
            return max(executions, key=lambda e: e.id).last_known_state if executions else _STATES.COMPLETE


class WatchedDagRunner(BeamDagRunner):
    _PIPELINE_NODE_DO_FN_CLS = _Node


def run(ir: Any, run_options: Any, observer: Observer) -> None:
    """Run the compiled pipeline to its end; an exception of a stage ends it."""
    global _observer
    _observer = observer
    try:
        WatchedDagRunner().run_with_ir(ir, run_options=run_options)
    finally:
        _observer = None


class _Meter:
    """Seconds, CPU seconds and peak memory from its making to its report."""

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
