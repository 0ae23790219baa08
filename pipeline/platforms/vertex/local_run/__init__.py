"""A compiled spec on this machine: each container's command in a process of its own, with a folder for the bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import UserError

if TYPE_CHECKING:
    from pipeline.config import Config

BUCKET = "bucket"  # the folder of all local runs that takes the place of the bucket


def absent(config: Config) -> list[str]:
    """Return the settings that need Google Cloud: an accelerator, Dataflow, the Model Registry."""
    vertex, trainer = config.vertex, config.vertex.trainer
    found = {
        "vertex.trainer.accelerator": trainer.accelerator,
        "vertex.trainer.machine_type": trainer.device == "tpu" and trainer.machine_type,
        "vertex.dataflow.max_workers": vertex.dataflow.max_workers,
        "vertex.deploy.to": vertex.deploy.to != "bucket" and vertex.deploy.to,
    }
    return [f"{key}={value}" for key, value in found.items() if value]


def without_cloud(config: Config) -> Config:
    """Return the configuration with the defaults in place of the settings that are `absent`."""
    vertex = config.vertex
    machine = {"machine_type": "n1-standard-8", "accelerator": None, "accelerator_count": 1, "tpu_topology": None}
    changed = {
        "trainer": vertex.trainer.model_copy(update=machine),
        "dataflow": vertex.dataflow.model_copy(update={"max_workers": 0}),
        "deploy": vertex.deploy.model_copy(update={"to": "bucket"}),
    }
    return config.model_copy(update={"vertex": vertex.model_copy(update=changed)})


def find_data(job: dict[str, Any], folder: Path, given: str | None) -> str:
    """Return where a run finds its data on this machine: a data set that is in the image, or a path.

    Args:
      job: what `vertex compile` writes.
      folder: of all local runs.
      given: the data of this run; what the spec names if None.

    Raises:
      UserError: it is on a bucket, and not in the folder that takes its place.
    """
    runtime = job["runtimeConfig"]
    data = given or str(runtime.get("parameterValues", {}).get("data", ""))
    if not data.startswith("gs://"):
        return data
    bucket, _, path = data.removeprefix("gs://").partition("/")
    here = folder.resolve() / BUCKET / path
    if bucket == str(runtime["gcsOutputDirectory"]).split("/")[2] and here.exists():
        return str(here)
    raise UserError(f"a run on this machine does not read {data}: give --param data=PATH, a file or folder here")
