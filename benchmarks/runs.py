"""Benchmark of a directory with many runs: `runs`, `lineage` and the index page.

usage: python -m benchmarks.runs [--runs N] [--repeat N]

Makes one run of the digits, then copies its run context, executions, events and folder until there are N runs. Prints
the median wall seconds of each command, in a process of its own, for 1 run and for N.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import common

COMMANDS = (["runs"], ["runs", "--filter", "pushed", "--sort", "accuracy"], ["lineage"], ["report"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "output"
        settings = ("trainer.epochs=1", "evaluator.min_accuracy=0", "evaluator.min_class_recall=0")
        common.pipeline("run", "--run-dir", str(run_dir), *(f"--set={setting}" for setting in settings))
        single = {tuple(command): _median(run_dir, command, args.repeat) for command in COMMANDS}
        copy_run(run_dir, args.runs)
        print(f"{'command':<42}{'1 run, s':>10}{f'{args.runs} runs, s':>14}")
        for command in COMMANDS:
            print(
                f"{' '.join(command):<42}{single[tuple(command)]:>10.2f}{_median(run_dir, command, args.repeat):>14.2f}"
            )


def copy_run(run_dir: Path, count: int) -> None:
    """Add copies of the one run below `run_dir`, as cached runs, until there are `count`."""
    import ml_metadata as mlmd
    from ml_metadata.proto import metadata_store_pb2 as pb

    connection = pb.ConnectionConfig()
    connection.sqlite.filename_uri = str(run_dir / "metadata.sqlite")
    store = mlmd.MetadataStore(connection)
    (run,) = store.get_contexts_by_type("pipeline_run")
    (parent,) = [context for context in store.get_parent_contexts_by_context(run.id) if context.type == "pipeline"]
    executions = store.get_executions_by_context(run.id)
    nodes = [[c.id for c in store.get_contexts_by_execution(e.id) if c.id != run.id] for e in executions]
    events: dict[int, list[Any]] = {execution.id: [] for execution in executions}
    for event in store.get_events_by_execution_ids(list(events)):
        events[event.execution_id].append(event)
    artifacts = {event.artifact_id for of_execution in events.values() for event in of_execution}
    for number in range(1, count):
        moment = datetime.datetime.now() + datetime.timedelta(seconds=number)
        run_id = f"{moment:%Y%m%d-%H%M%S}.000-{number:06x}"
        (context_id,) = store.put_contexts([_copy(run, name=run_id)])
        store.put_parent_contexts([pb.ParentContext(child_id=context_id, parent_id=parent.id)])
        copies = [_copy(execution, last_known_state=pb.Execution.CACHED) for execution in executions]
        for copied in copies:
            copied.ClearField("name")
        ids = store.put_executions(copies)
        new_events, associations = [], []
        for execution, new_id, contexts in zip(executions, ids, nodes, strict=True):
            for event in events[execution.id]:
                new_events.append(pb.Event())
                new_events[-1].CopyFrom(event)
                new_events[-1].execution_id = new_id
            associations += [pb.Association(execution_id=new_id, context_id=c) for c in [context_id, *contexts]]
        store.put_events(new_events)
        attributions = [pb.Attribution(artifact_id=artifact, context_id=context_id) for artifact in artifacts]
        store.put_attributions_and_associations(attributions, associations)
        folder = run_dir / "runs" / run_id
        shutil.copytree(run_dir / "runs" / run.name, folder)
        result = json.loads((folder / "result.json").read_text())
        (folder / "result.json").write_text(json.dumps(result | {"run_id": run_id}))


def _copy(message: Any, **changed: Any) -> Any:
    """Return a copy of a message without its id."""
    copied = type(message)()
    copied.CopyFrom(message)
    copied.ClearField("id")
    for name, value in changed.items():
        setattr(copied, name, value)
    return copied


def _median(run_dir: Path, command: list[str], repeat: int) -> float:
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        common.pipeline(*command, "--run-dir", str(run_dir))
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
