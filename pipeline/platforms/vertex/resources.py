"""The forms of the names by which Google Cloud knows a project, a bucket, a network, …: a wrong one never leaves here.

Only the form is checked. Whether a thing of that name exists is looked up before a job is sent (preflight.py).
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from components.errors import UserError
from pipeline.platforms.vertex import labels

IMAGE_ADVICE = "write an image with its registry: REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME:TAG"
JOB_ID = r"[a-z][-a-z0-9]{0,127}"  # of a job of pipelines
JOB = re.compile(rf"projects/(?P<project>[a-z0-9-]+)/locations/(?P<region>[a-z0-9-]+)/pipelineJobs/{JOB_ID}")
LABEL = r"[\w-]{0,63}"
LABEL_BYTES = 128  # of a key, and of a value
RESERVED = (labels.CONTENT, labels.RUN, labels.STAGE)  # those by which a job is found
GOOGLES = ("goog", "vertex-ai-")  # how those begin that Google sets
_PART = "[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?"  # of the name of a bucket, between its dots
BUCKET = rf"(?=.{{3,222}}$)(?!goog|.*google)(?!\d+\.\d+\.\d+\.\d+$){_PART}(\.{_PART})*"


def _like(pattern: str, advice: str) -> AfterValidator:
    """Return a validator of texts that match the whole of `pattern`; `advice` says what to write instead of another."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(advice)
        return text

    return AfterValidator(check)


def _as_text(value: Any) -> Any:
    """Return a number as the text that it was written as; YAML has made a number of it."""
    return str(value) if type(value) is int else value


def _check_bucket(name: str) -> str:
    bare = name.removeprefix("gs://").rstrip("/")
    if is_bucket(name):
        return name
    if bare != name:
        raise ValueError(f"write the name of the bucket alone: {bare.partition('/')[0] or 'my-bucket'}")
    raise ValueError(
        "the name of a bucket has small letters, digits, -, _ and ., 3 to 63 of them, and no `google`: my-bucket"
    )


def is_bucket(name: str) -> bool:
    """Return whether a bucket can have this name."""
    return bool(re.fullmatch(BUCKET, name, re.ASCII))


def _check_image(image: str) -> str:
    in_registry = re.match(r"[a-z0-9-]+-docker\.pkg\.dev/", image)
    if in_registry and image.count("/") < 3:
        raise ValueError(IMAGE_ADVICE)
    return image


def _check_labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if not (key[:1].isalpha() and key == key.lower() and re.fullmatch(LABEL, key)):
            raise ValueError(
                f"the label {key!r}: a key has small letters, digits, - and _, a letter first, at most 63: team"
            )
        if not (value == value.lower() and re.fullmatch(LABEL, value)):
            raise ValueError(
                f"the value {value!r} of the label {key!r}: small letters, digits, - and _, at most 63: vision"
            )
        if max(len(key.encode()), len(value.encode())) > LABEL_BYTES:
            raise ValueError(f"the label {key!r}: key and value have at most {LABEL_BYTES} bytes each: make it shorter")
        if key in RESERVED or key.startswith(GOOGLES):
            raise ValueError(f"the label {key!r} is set by Google or by `submit`: give it another name")
    if len(labels) > 60:
        raise ValueError(f"{len(labels)} labels: a job has at most 60 of yours")
    return labels


def check_region(region: str) -> None:
    """Raise UserError if Vertex AI has no region of this name."""
    from google.cloud.aiplatform.constants.base import SUPPORTED_REGIONS

    regions = SUPPORTED_REGIONS - {"global"}  # of models that are served, not of pipelines
    if region not in regions:
        near = difflib.get_close_matches(region, regions, n=1) or ["us-central1"]
        raise UserError(f"vertex.region = {region!r} is no region of Vertex AI; did you mean {near[0]}?")


def check_job(text: str) -> str:
    """Return `text`, which may be the name of a job or its whole resource name.

    Raises:
      ValueError: no job can have this name.
    """
    if re.fullmatch(JOB_ID, text) or JOB.fullmatch(text):
        return text
    raise ValueError(
        f"no job is named {text!r}: give the name that `vertex submit` shows after `job`, or the whole "
        "projects/PROJECT/locations/REGION/pipelineJobs/NAME"
    )


def region_of(path: str) -> str:
    """Return the region in the name of a resource: of projects/P/locations/R/…, or regions/R/…."""
    match = re.search(r"(?:locations|regions)/([^/]+)/", path)
    return match[1] if match else ""


Project = Annotated[
    str,
    _like(
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "write the id of the project (6 to 30 small letters, digits and -), not its number or title; `gcloud projects "
        "list` shows it",
    ),
    BeforeValidator(_as_text),
]
Region = Annotated[
    str, _like(r"[a-z]+-[a-z]+\d+", "write a region without the letter of a zone, for example us-central1")
]
Bucket = Annotated[str, AfterValidator(_check_bucket), BeforeValidator(_as_text)]
Image = Annotated[
    str,
    _like(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?(/[a-z0-9._-]+)+(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?", IMAGE_ADVICE),
    AfterValidator(_check_image),
]
ServiceAccount = Annotated[
    str, _like(r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com", "write NAME@PROJECT.iam.gserviceaccount.com")
]
Network = Annotated[
    str,
    _like(
        r"projects/\d+/global/networks/[a-z]([-a-z0-9]*[a-z0-9])?",
        "write projects/NUMBER/global/networks/NAME, with the number of the project: `gcloud projects describe PROJECT "
        "--format='value(projectNumber)'`",
    ),
]
NetworkAttachment = Annotated[
    str,
    _like(
        r"projects/[^/]+/regions/[^/]+/networkAttachments/[a-z]([-a-z0-9]*[a-z0-9])?",
        "write projects/PROJECT/regions/REGION/networkAttachments/NAME: `gcloud compute network-attachments list` "
        "shows them",
    ),
]
Tensorboard = Annotated[
    str,
    _like(
        r"projects/[^/]+/locations/[^/]+/tensorboards/\d+",
        "write projects/PROJECT/locations/REGION/tensorboards/NUMBER: `gcloud ai tensorboards list --region=REGION` "
        "shows them",
    ),
]
Experiment = Annotated[
    str, _like(r"[a-z0-9][a-z0-9-]{0,127}", "write small letters, digits and -, at most 128: flowers-2026")
]
EncryptionKey = Annotated[
    str,
    _like(
        r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+",
        "write projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY, without a version",
    ),
]
Subnetwork = Annotated[
    str,
    _like(
        r"(https://www\.googleapis\.com/compute/v1/projects/[^/]+/)?regions/[^/]+/subnetworks/[^/]+",
        "write regions/REGION/subnetworks/NAME, or https://www.googleapis.com/compute/v1/projects/PROJECT/regions/…",
    ),
]
Labels = Annotated[dict[str, Annotated[str, BeforeValidator(_as_text)]], AfterValidator(_check_labels)]
