"""Executions in ML Metadata and folders on the disk, as TFX leaves them."""

from __future__ import annotations

from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.config import Config
from pipeline.runs import run_dir
from pipeline.tracking import metadata


def add(config: Config, run_id: str, stage: str, state: int, here: bool = True) -> Path:
    """An execution as TFX registers it, and its output folder with a file in it.

    Args:
      here: whether the run was started in this run directory.
    """
    store = metadata.open_store(config)
    kinds = ("pipeline", "pipeline_run", "node")
    names = (config.name, run_id, f"{config.name}.{stage}")
    contexts = []
    for kind, name in zip(kinds, names):
        found = store.get_context_by_type_and_name(kind, name)
        if found is None:
            type_id = store.put_context_type(pb.ContextType(name=kind))
            (context_id,) = store.put_contexts([pb.Context(type_id=type_id, name=name)])
            (found,) = store.get_contexts_by_id([context_id])
        contexts.append(found)
    execution = pb.Execution(type_id=store.put_execution_type(pb.ExecutionType(name=stage)), last_known_state=state)
    number = store.put_execution(execution, [], contexts)[0]
    if here:
        run_dir.of_run(config, run_id).mkdir(parents=True, exist_ok=True)
    folder = Path(run_dir.artifacts(config), stage, "out", str(number))
    temporary = Path(run_dir.artifacts(config), stage, ".system", "executor_execution", str(number))
    for made in (folder, temporary):
        made.mkdir(parents=True)
        (made / "half").write_text("half")
    return folder
