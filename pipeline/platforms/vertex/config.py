"""The section `vertex` of the Config: Vertex AI Pipelines, where, as whom and on which machines."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.config import Section


class Dataflow(Section):
    """The Dataflow workers of the stages on Apache Beam."""

    max_workers: Annotated[
        int, Field(ge=0, description="Workers, at most; 0: no Dataflow, the machine of the stage itself does the work")
    ] = 0
    machine_type: Annotated[str, Field(description="Machine of a worker")] = "e2-standard-4"
    disk_gb: Annotated[int, Field(ge=30, description="Disk of a worker in GB")] = 50
    subnetwork: Annotated[
        str | None,
        Field(description="regions/REGION/subnetworks/NAME; with it workers have no public addresses"),
    ] = None


class VertexTrainer(Section):
    """The custom job that trains on Vertex AI. `trainer.strategy` follows from it."""

    machine_type: Annotated[
        str, Field(description="Machine that trains; cloud-tpu for a TPU v2 or v3, ct5lp-… for a v5e")
    ] = "n1-standard-8"
    accelerator: Annotated[
        str | None, Field(description="NVIDIA_TESLA_T4, NVIDIA_L4, TPU_V2, TPU_V3, … as Vertex AI names them")
    ] = None
    accelerator_count: Annotated[int, Field(ge=1, description="GPUs a machine; cores of a TPU")] = 1
    tpu_topology: Annotated[str | None, Field(description="Topology of a ct5lp-… machine, for example 2x2")] = None
    workers: Annotated[int, Field(ge=1, description="Machines of that kind")] = 1
    image: Annotated[
        str | None,
        Field(
            description="Container image; …/image-classification-gpu:latest or -tpu if not set and there is an "
            "accelerator"
        ),
    ] = None

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


class Deploy(Section):
    """What becomes of a pushed model on Vertex AI, besides its version in the bucket."""

    to: Annotated[
        Literal["bucket", "registry", "endpoint"],
        Field(description="How far it goes; an endpoint serves what the Model Registry holds"),
    ] = "bucket"
    image: Annotated[str, Field(description="Container image that serves the SavedModel")] = (
        "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
    )
    machine_type: Annotated[str, Field(description="Machine of the endpoint")] = "n1-standard-2"
    max_replicas: Annotated[int, Field(ge=1, description="Replicas of the endpoint, at most; it begins with one")] = 1


class Vertex(Section):
    """Vertex AI Pipelines: where, as whom and on which machines. Only `project` has to be set."""

    project: Annotated[str | None, Field(description="Id of the Google Cloud project")] = None
    region: Annotated[str, Field(description="Region of all that is used")] = "us-central1"
    bucket: Annotated[str | None, Field(description="Name of the bucket; PROJECT-pipelines if not set")] = None
    image: Annotated[
        str | None,
        Field(
            description="Container image of the stages; "
            "REGION-docker.pkg.dev/PROJECT/pipelines/image-classification:latest if not set"
        ),
    ] = None
    service_account: Annotated[
        str | None, Field(description="E-mail address that the stages act as; the project's default if not set")
    ] = None
    network: Annotated[str | None, Field(description="projects/NUMBER/global/networks/NAME, peered with Vertex AI")] = (
        None
    )
    encryption_key: Annotated[
        str | None, Field(description="projects/…/locations/…/keyRings/…/cryptoKeys/…, in the same region")
    ] = None
    labels: Annotated[dict[str, str], Field(description="Labels of all that is started")] = Field(default_factory=dict)
    caching: Annotated[bool, Field(description="Whether unchanged stages come from the cache")] = True
    cpu: Annotated[int, Field(ge=1, le=96, description="Cores of the machine of each stage")] = 4
    memory_gb: Annotated[int, Field(ge=1, le=624, description="Memory of the machine of each stage in GB")] = 16
    dataflow: Dataflow = Dataflow()
    trainer: VertexTrainer = VertexTrainer()
    deploy: Deploy = Deploy()
