"""The section `vertex` of the Config: Vertex AI Pipelines, where, as whom and on which machines."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from components.config import Section
from pipeline.platforms.vertex import machines, resources, tpu

MachineType = Annotated[str, AfterValidator(machines.check_machine)]


class Dataflow(Section):
    """The Dataflow workers of the stages on Apache Beam."""

    max_workers: int = Field(
        0, ge=0, description="Workers, at most; 0: no Dataflow, the machine of the stage itself does the work"
    )
    machine_type: MachineType = Field("e2-standard-4", description="Machine of a worker")
    disk_gb: int = Field(50, ge=30, description="Disk of a worker in GB")
    subnetwork: resources.Subnetwork | None = Field(
        None, description="regions/REGION/subnetworks/NAME; with it workers have no public addresses"
    )


class VertexTrainer(Section):
    """The custom job that trains on Vertex AI. `trainer.strategy` follows from it."""

    machine_type: Annotated[str, AfterValidator(machines.check_trainer_machine)] = Field(
        "n1-standard-8", description="Machine that trains; cloud-tpu for a TPU v2 or v3, ct5lp-hightpu-… for a v5e"
    )
    accelerator: Annotated[str, AfterValidator(machines.check_accelerator)] | None = Field(
        None, description="NVIDIA_TESLA_T4, NVIDIA_L4, TPU_V2, TPU_V3, … as Vertex AI names them"
    )
    accelerator_count: int = Field(1, ge=1, description="GPUs a machine; 8, the cores, of a TPU v2 or v3")
    tpu_topology: str | None = Field(None, description="Of a TPU v5e: 1x1 of ct5lp-hightpu-1t, 2x2 of -4t, 2x4 of -8t")
    workers: int = Field(1, ge=1, description="Machines of that kind")
    parallel_trials: int = Field(
        1, ge=1, description="Machines of that kind that a search (`--tune`) trains on at one time"
    )
    image: resources.Image | None = Field(
        None,
        description="Container image; …/image-classification-gpu:latest or -tpu if not set and there is an accelerator",
    )

    timeout_hours: float = Field(
        24.0,
        ge=0.1,
        le=8760,
        description="Hours after which Vertex AI stops the custom job; its own default is seven days",
    )
    spot: bool = Field(
        False,
        description="Whether it trains on Spot VMs, which cost less and may be taken away; it then starts again from "
        "its last checkpoint",
    )
    web_access: bool = Field(False, description="Whether the console opens a shell in the training's container")

    @property
    def device(self) -> Literal["cpu", "gpu", "tpu"]:
        """Return what trains on each machine."""
        if machines.TPU_MACHINE.fullmatch(self.machine_type):
            return "tpu"
        return "gpu" if self.accelerator else "cpu"

    @property
    def strategy(self) -> Literal["cpu", "gpu", "tpu", "multi_worker"]:
        """Return what overrides `trainer.strategy`."""
        return "multi_worker" if self.workers > 1 else self.device

    @model_validator(mode="after")
    def _machine_has_its_accelerator(self) -> VertexTrainer:
        found = tpu.problem(
            self.machine_type, self.accelerator, self.accelerator_count, self.tpu_topology, self.workers
        )
        if found:
            raise ValueError(found)
        if self.device == "tpu" and self.parallel_trials > 1:
            raise ValueError("parallel_trials: a search on a TPU is on one machine; leave it at 1")
        machines.check_gpus(self.machine_type, self.accelerator, self.accelerator_count)
        return self


class Deploy(Section):
    """What becomes of a pushed model on Vertex AI, besides its version in the bucket."""

    to: Literal["bucket", "registry", "endpoint"] = Field(
        "bucket", description="How far it goes; an endpoint serves what the Model Registry holds"
    )
    image: resources.Image = Field(
        "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest",
        description="Container image that serves the SavedModel",
    )
    machine_type: MachineType = Field("n1-standard-2", description="Machine of the endpoint")
    max_replicas: int = Field(1, ge=1, description="Replicas of the endpoint, at most; it begins with one")
    traffic: int = Field(
        100,
        ge=1,
        le=100,
        description="Percentage of the endpoint's traffic that a new model takes; below 100 the model before keeps the "
        "rest until `vertex promote`",
    )

    @model_validator(mode="after")
    def _only_an_endpoint_has_traffic(self) -> Deploy:
        if self.traffic != 100 and self.to != "endpoint":
            raise ValueError(f"traffic {self.traffic} is a share of an endpoint: set deploy.to to endpoint")
        return self


class Vertex(Section):
    """Vertex AI Pipelines: where, as whom and on which machines. Only `project` has to be set."""

    project: resources.Project | None = Field(None, description="Id of the Google Cloud project")
    region: resources.Region = Field("us-central1", description="Region of all that is used")
    bucket: resources.Bucket | None = Field(None, description="Name of the bucket; PROJECT-pipelines if not set")
    image: resources.Image | None = Field(
        None,
        description="Container image of the stages; "
        "REGION-docker.pkg.dev/PROJECT/pipelines/image-classification:latest if not set",
    )
    service_account: resources.ServiceAccount | None = Field(
        None, description="E-mail address that the stages act as; the project's default if not set"
    )
    network: resources.Network | None = Field(
        None, description="projects/NUMBER/global/networks/NAME, peered with Vertex AI"
    )
    network_attachment: resources.NetworkAttachment | None = Field(
        None,
        description="projects/…/regions/…/networkAttachments/NAME, in the same region, for a Private Service Connect "
        "interface in place of `network`",
    )
    encryption_key: resources.EncryptionKey | None = Field(
        None, description="projects/…/locations/…/keyRings/…/cryptoKeys/…, in the same region"
    )
    tensorboard: resources.Tensorboard | None = Field(
        None,
        description="projects/…/locations/…/tensorboards/NUMBER, in the same region, that shows the training's logs; "
        "needs `service_account`",
    )
    experiment: resources.Experiment | None = Field(
        None, description="Name of the experiment that `submit` adds the run to; made if there is none"
    )
    labels: resources.Labels = Field(default_factory=dict, description="Labels of all that is started")
    caching: bool = Field(True, description="Whether unchanged stages come from the cache")
    cpu: int = Field(
        4, ge=1, le=96, description="Cores of the machine of each stage, one for the stage that waits for a training"
    )
    memory_gb: int = Field(
        16,
        ge=1,
        le=624,
        description="Memory of the machine of each stage in GB, 4 for the stage that waits for a training",
    )
    dataflow: Dataflow = Dataflow()
    trainer: VertexTrainer = VertexTrainer()
    deploy: Deploy = Deploy()

    @property
    def access(self) -> dict[str, Any]:
        """Return as whom and in which network a custom job runs: fields of its CustomJobSpec."""
        fields = {
            "service_account": self.service_account,
            "network": self.network,
            "psc_interface_config": self.network_attachment and {"network_attachment": self.network_attachment},
        }
        return {key: value for key, value in fields.items() if value}

    @model_validator(mode="after")
    def _lies_in_one_region(self) -> Vertex:
        for name, path in (
            ("encryption_key", self.encryption_key),
            ("dataflow.subnetwork", self.dataflow.subnetwork),
            ("network_attachment", self.network_attachment),
            ("tensorboard", self.tensorboard),
        ):
            if path and resources.region_of(path) != self.region:
                raise ValueError(f"{name} {path} is not in region {self.region}: give one of that region")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Vertex:
        if self.network and self.network_attachment:
            raise ValueError("network and network_attachment are two ways into a network: give one of them")
        if self.tensorboard and not self.service_account:
            raise ValueError("tensorboard: Vertex AI writes there as a service account: give service_account too")
        return self
