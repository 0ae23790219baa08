"""Names of buckets, images and data on Google Cloud: as configured, else after the project. Imports nothing heavy."""

from __future__ import annotations

import hashlib
import re

from components import files, versions
from components.errors import UserError
from components.example_gen import sources, tfds
from components.example_gen.formats import detect
from components.trainer import networks
from components.trainer.networks import weights
from pipeline.config import Config
from pipeline.platforms.vertex import resources

HERE = "file://"
IMAGE_ROOT = "/pipeline"  # where the Dockerfile puts this project
TPU_LANE = "1.16"  # the last TFX whose TensorFlow there is for a TPU
LONGEST = 128  # characters of the name of a pipeline
NOT_REGISTERED = "not_registered"  # property of a PushedModel: why the Model Registry has no version of it
NO_PROJECT = "PROJECT"  # placeholder in a spec compiled without a project: such a spec cannot be submitted


def project(config: Config) -> str:
    return config.vertex.project or NO_PROJECT


def pipeline(config: Config) -> str:
    """Return the name of the pipeline: at most 128 small letters, digits and dashes, of no other data set.

    A name that has to be changed for it, My_Photos, gets a hash of the whole: my-photos is another data set.
    """
    name = re.sub("[^a-z0-9]+", "-", config.name.lower()).strip("-")
    if name == config.name and len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}-{hashlib.sha256(config.name.encode()).hexdigest()[:8]}"


def bucket(config: Config) -> str:
    """Return gs://…, without a slash at its end."""
    return f"gs://{config.vertex.bucket or f'{project(config)}-pipelines'}"


def image(config: Config) -> str:
    """Return the image that every stage runs in, and every worker of Dataflow."""
    return config.vertex.image or _built(config, "")


def trainer_image(config: Config) -> str:
    """Return the image of the custom job, with the libraries of its accelerator."""
    trainer = config.vertex.trainer
    if trainer.image:
        return trainer.image
    return image(config) if trainer.device == "cpu" else _built(config, f"-{trainer.device}")


def check_trainer_image(config: Config) -> None:
    """Check that there can be an image for the Trainer's accelerator, of the TFX that compiles.

    Raises:
      UserError: it would be for a TPU and of a TFX whose TensorFlow drives none.
    """
    trainer, lane = config.vertex.trainer, versions.lane()
    if trainer.device == "tpu" and not trainer.image and lane != TPU_LANE:
        raise UserError(
            f"vertex.trainer is a TPU, and this is TFX {lane}, whose TensorFlow drives none: install TFX {TPU_LANE} "
            f"(`make setup LANE={TPU_LANE}`) and build the images with LANE={TPU_LANE}"
        )


def _built(config: Config, ending: str) -> str:
    """Return the name of the image that cloudbuild.yaml builds."""
    return f"{config.vertex.region}-docker.pkg.dev/{project(config)}/pipelines/image-classification{ending}:latest"


def data(config: Config, given: str | None = None) -> str:
    """Return the data of a run: a data set that is in the image, or a remote path.

    Args:
      config: the configuration, whose data is the default.
      given: the source of the data of one run.

    Raises:
      UserError: the data is on this machine, where no stage on Vertex AI can read it.
    """
    source = config.data.source if given is None else given
    key, option = ("data.source", "--data gs://…") if given is None else ("--param data", "--param data=gs://…")
    dataset = detect.by_dataset(source)
    if dataset and dataset.published:
        return f"{bucket(config)}/data/{dataset.published.file_name}"
    if dataset:
        return source
    if source.startswith("gs://"):
        if not resources.is_bucket(source.split("/")[2]):
            raise UserError(f"{key} {source!r} names no bucket; write gs://BUCKET/PATH")
        return source
    if sources.is_url(source) or source.startswith(tfds.PREFIX):
        raise UserError(
            f"{key} {source!r}: nothing is downloaded on Vertex AI; download it, copy it to the bucket, "
            f"`gcloud storage cp FILE {bucket(config)}/data/`, and give {option}"
        )
    if not source.strip() or (files.is_remote(source) and not source.startswith(HERE)):
        raise UserError(f"{key} {source!r} is not in Cloud Storage, the only place that is read; give {option}")
    raise UserError(
        f"{key} {source!r} is on this machine; copy it to the bucket, "
        f"`gcloud storage cp -r {source} {bucket(config)}/data/`, and give {option}"
    )


def check_weights(config: Config) -> None:
    """Check that the Trainer can read the weights that its network begins with.

    Raises:
      UserError: they would have to be downloaded, or are on this machine.
    """
    network, named = config.trainer.network, config.trainer.weights
    path = weights.path(network, named, config.data.cache_dir)
    if not path or files.is_remote(path):
        return
    copied = (
        f"copy it to the bucket, `gcloud storage cp FILE {bucket(config)}/weights/`, and set trainer.weights to gs://…"
    )
    pretraining = networks.traits(network).pretraining
    if named == networks.IMAGENET and pretraining:
        raise UserError(
            f"trainer.weights: nothing is downloaded on Vertex AI, and the weights of {network} do not come with the "
            f"image; download {pretraining.source}, {copied}"
        )
    raise UserError(f"trainer.weights {named!r} is on this machine; {copied}")
