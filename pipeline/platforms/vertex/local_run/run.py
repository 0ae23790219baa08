"""`vertex run-local`: run a compiled spec here, as Vertex AI Pipelines would, without an account or a network."""

from __future__ import annotations

import dataclasses
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from components.contracts.run_result import ExitCode
from pipeline.output import short
from pipeline.platforms import stage_table
from pipeline.platforms.vertex.failures import RAISED
from pipeline.platforms.vertex.local_run import BUCKET, container, processes
from pipeline.platforms.vertex.local_run.artifacts import Artifact, Store
from pipeline.platforms.vertex.local_run.tasks import Made, Tasks, outputs, take_outputs
from pipeline.platforms.vertex.names import NOT_REGISTERED
from pipeline.runs import run_dir

STORE_FILE, LOGS = "artifacts.jsonl", "logs"


@dataclasses.dataclass
class LocalRun:
    """A run of a spec that has ended.

    Attributes:
      folder: of all local runs.
      logs: folder of the logs of this run: a file a task, and the custom jobs.
      made: the outputs of each task that ran.
      states: of each task that ran: done, failed or refused.
      why: it failed or was refused; empty if it was not.
    """

    folder: Path
    logs: Path
    made: Made = dataclasses.field(default_factory=dict)
    states: dict[str, str] = dataclasses.field(default_factory=dict)
    why: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the command."""
        if "failed" in self.states.values():
            return ExitCode.FAILED
        refused = "refused" in self.states.values() or self._blessed() is False
        return ExitCode.REFUSED if refused else ExitCode.DONE

    def _blessed(self) -> bool | None:
        blessings = [self.made[task]["blessing"] for task in ("Evaluator", "ServingCheck") if task in self.made]
        return all(each.get("metadata", {}).get("blessed") == 1 for each in blessings) if blessings else None

    def uri(self, task: str, key: str) -> str:
        """Return the folder of an output; empty if there is none."""
        return str(self.made.get(task, {}).get(key, {}).get("uri", ""))


def run(job: dict[str, Any], folder: Path, parameters: Mapping[str, Any], out: TextIO | None = None) -> LocalRun:
    """Run all tasks of a compiled job in their order, until one fails.

    Args:
      job: what `vertex compile` writes.
      folder: of all local runs; its folder `bucket` takes the place of the bucket.
      parameters: of the run.
      out: where the progress is shown; standard output if None.

    Raises:
      UserError: the spec cannot be understood.
    """
    folder = folder.resolve()
    tasks = Tasks(job, folder / BUCKET)
    tasks.parameters |= parameters
    run_id = run_dir.new_id()
    ended = LocalRun(folder, folder / LOGS / run_id)
    store = Store(folder / STORE_FILE)
    ended.logs.mkdir(parents=True)
    order = tasks.order()
    with stage_table.make(order, out or sys.stdout) as screen:
        for name in order:
            screen.started(name)
            began = time.monotonic()
            state = "done"
            try:
                if tasks.query(name):
                    ended.made[name] = tasks.resolve(name, ended.made, store)
                else:
                    ended.made[name] = _execute(tasks, name, ended, run_id)
                    for key, artifact in ended.made[name].items():
                        store.add(artifact, tasks.title(name, key))
            except _ContainerFailedError as error:
                state, ended.why = _reason(ended.logs, name, error.code)
            ended.states[name] = state
            screen.ended(name, state, time.monotonic() - began)
            if state != "done":
                break
    return ended


def _execute(tasks: Tasks, name: str, ended: LocalRun, run_id: str) -> dict[str, Artifact]:
    """Run a task's driver, if it has one, and its container; return its outputs.

    Raises:
      _ContainerFailedError: one of them failed.
    """
    # …/PROJECT_NUMBER/JOB/TASK_NUMBER, as on Vertex AI.
    folder = ended.folder / BUCKET / "artifacts" / tasks.name / "1" / run_id / f"{name}_1"
    folder.mkdir(parents=True)
    invocation = tasks.invocation(name, ended.made, folder)
    if driver := tasks.driver(name, invocation):
        _wait(driver, ended, name)
        take_outputs(invocation, folder)
    _wait(tasks.command(name, invocation), ended, name)
    return outputs(folder)


class _ContainerFailedError(Exception):
    """A container ended with this exit code, negative for the number of a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _wait(command: list[str], ended: LocalRun, name: str) -> None:
    """Run a container's command to its end, which an interrupt of this process brings about too.

    Raises:
      _ContainerFailedError: its exit code is not 0.
    """
    jobs = ended.logs / f"{name}-jobs"
    whole = ["python", "-m", container.__name__, str(jobs), *command]
    variables = processes.environment(ended.logs / "home")
    process = processes.start(whole, variables, ended.logs / f"{name}.log")
    try:
        if code := process.wait():
            raise _ContainerFailedError(code)
    finally:
        processes.end(process)


def _reason(logs: Path, name: str, code: int) -> tuple[str, str]:
    """Return the state of a task that failed, and why.

    That is the last exception in the log of its custom job, else in its own; a process that is killed leaves none.
    """
    own, failed = logs / f"{name}.log", logs / f"{name}-jobs" / container.FAILED_FILE
    of_job = [Path(failed.read_text(encoding="utf-8"))] if failed.exists() else []
    for log in (*of_job, own):
        for line in reversed(_lines(log)):
            if match := RAISED.match(line):
                return ("refused" if match["type"].endswith("GateRefused") else "failed"), line
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    last = next(reversed(_lines(own)), "nothing")
    return "failed", f"{how}; the last line of its log: {last}"


def _lines(log: Path) -> list[str]:
    return [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def show(ended: LocalRun, out: TextIO) -> None:
    """Print how a run ended, and where what it made lies."""
    failed = next((name for name, state in ended.states.items() if state != "done"), "")
    if failed:
        print(f"{ended.states[failed]:<9} {failed}: {ended.why}", file=out)
    elif ended.exit_code == ExitCode.REFUSED:
        print("refused   nothing was pushed; the report says why", file=out)
    pushed = ended.made.get("Pusher", {}).get("pushed_model", {}).get("metadata", {})
    if pushed.get("pushed") == 1:
        print(f"pushed    {short(str(pushed['pushed_destination']))}", file=out)
    if reason := pushed.get(NOT_REGISTERED):
        print(f"note      {reason}", file=out)
    if report := ended.uri("Report", "report"):
        print(f"report    {short(Path(report) / run_dir.REPORT_FILE)}", file=out)
    print(f"bucket    {short(ended.folder / BUCKET)}", file=out)
    print(f"logs      {short(ended.logs)}", file=out)
