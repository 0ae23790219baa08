"""`schema freeze`: the schema of the latest run as a curated one, to read, edit and review."""

from __future__ import annotations

import json
from pathlib import Path

from components import features, files
from components.errors import UserError
from pipeline import metadata
from pipeline.config import Config


def freeze(config: Config, output: str | None, force: bool) -> int:
    """Write the schema of the latest run of this data set.

    Raises:
      UserError: no run has made a schema yet; the file exists and `force` is not set.
    """
    destination = Path(output) if output else Path("schema") / config.name / "schema.pbtxt"
    store = metadata.open_store(config) if metadata.exists(config) else None
    for run in metadata.runs(store) if store else []:
        if run.pipeline != config.name:
            continue
        stages = metadata.stages(store, run)
        if "SchemaGen" in stages and "ExampleGen" in stages and stages["SchemaGen"].outputs.get("schema"):
            from components.data_gate import freeze as data_gate_freeze

            schema = f"{stages['SchemaGen'].outputs['schema'][-1].uri}/schema.pbtxt"
            examples = stages["ExampleGen"].outputs["examples"][-1].uri
            counts = json.loads(files.read_bytes(f"{examples}/{features.COUNTS_FILE}"))
            data_gate_freeze.freeze(schema, counts["class_names"], destination, force)
            print(
                f"{destination} written from run {run.id}; edit it, and the next run of '{config.name}' validates by it"
            )
            return 0
    raise UserError(
        f"no run of '{config.name}' in {config.run_dir} has a schema yet; make one with `run --to SchemaGen`"
    )
