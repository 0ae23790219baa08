"""The section `vertex` of the Config: Vertex AI Pipelines, where, as whom and on which machines."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator


class Dataflow(BaseModel, frozen=True, extra="forbid"):
    """Where the stages on Apache Beam do their work on Vertex AI."""

    max_workers: Annotated[int, Field(ge=0)] = 0  # 0: no Dataflow, the work is done by the machine of the stage itself
    machine_type: str = "e2-standard-4"
    disk_gb: Annotated[int, Field(ge=30)] = 50  # of a worker
    subnetwork: str | None = None  # regions/REGION/subnetworks/NAME; with it workers have no public addresses


class VertexTrainer(BaseModel, frozen=True, extra="forbid"):
    """The custom job that trains on Vertex AI. `trainer.strategy` follows from it."""

    machine_type: str = "n1-standard-8"  # `cloud-tpu` for a TPU v2 or v3; ct5lp-… for a v5e
    accelerator: str | None = None  # NVIDIA_TESLA_T4, NVIDIA_L4, TPU_V2, TPU_V3, … as Vertex AI names them
    accelerator_count: Annotated[int, Field(ge=1)] = 1  # GPUs a machine; cores of a TPU
    tpu_topology: str | None = None  # of a ct5lp-… machine, for example 2x2
    workers: Annotated[int, Field(ge=1)] = 1  # machines of that kind
    image: str | None = None  # …/image-classification-gpu:latest or -tpu if not set and there is an accelerator

    @property
    def device(self) -> Literal["cpu", "gpu", "tpu"]:
        """Return what trains on each machine."""
        if self.tpu_topology or (self.accelerator or "").startswith("TPU"):
            return "tpu"
        return "gpu" if self.accelerator else "cpu"

    @property
    def strategy(self) -> Literal["cpu", "gpu", "tpu", "multi_worker"]:
        """Return what overrides `trainer.strategy`."""
        return "multi_worker" if self.workers > 1 else self.device

    @model_validator(mode="after")
    def _machine_has_its_accelerator(self) -> VertexTrainer:
        machine, accelerator = self.machine_type, self.accelerator
        if (machine == "cloud-tpu") != ((accelerator or "").startswith("TPU")):
            raise ValueError(
                f"machine_type {machine} does not go with accelerator {accelerator}; TPU_V2 and TPU_V3 have cloud-tpu"
            )
        if re.match(r"ct\d", machine) and not self.tpu_topology:
            raise ValueError(f"machine_type {machine} needs tpu_topology, for example 2x2")
        if self.tpu_topology and not re.match(r"ct\d", machine):
            raise ValueError(f"tpu_topology is for machine types ct5lp-…, not {machine}")
        if self.device == "tpu" and self.workers > 1:
            raise ValueError("a TPU is one worker; ask for more cores or a larger topology")
        return self


class Deploy(BaseModel, frozen=True, extra="forbid"):
    """What becomes of a pushed model on Vertex AI, besides its version in the bucket."""

    to: Literal["bucket", "registry", "endpoint"] = "bucket"  # an endpoint serves what the Model Registry holds
    image: str = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"  # that serves the SavedModel
    machine_type: str = "n1-standard-2"  # of the endpoint
    max_replicas: Annotated[int, Field(ge=1)] = 1  # of the endpoint, which begins with one


class Vertex(BaseModel, frozen=True, extra="forbid"):
    """Vertex AI Pipelines: where, as whom and on which machines. Only `project` has to be set."""

    project: str | None = None
    region: str = "us-central1"
    bucket: str | None = None  # its name; PROJECT-pipelines if not set
    image: str | None = None  # REGION-docker.pkg.dev/PROJECT/pipelines/image-classification:latest if not set
    service_account: str | None = None  # e-mail address that the stages act as; the project's default if not set
    network: str | None = None  # projects/NUMBER/global/networks/NAME, peered with Vertex AI
    encryption_key: str | None = None  # projects/…/locations/…/keyRings/…/cryptoKeys/…, in the same region
    labels: dict[str, str] = {}
    caching: bool = True  # a stage that has nothing new to do is taken from an earlier run
    cpu: Annotated[int, Field(ge=1, le=96)] = 4  # cores of the machine of each stage
    memory_gb: Annotated[int, Field(ge=1, le=624)] = 16
    dataflow: Dataflow = Dataflow()
    trainer: VertexTrainer = VertexTrainer()
    deploy: Deploy = Deploy()
