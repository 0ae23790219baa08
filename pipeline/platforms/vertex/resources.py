"""The forms of the names by which Google Cloud knows a project, a bucket, a network, …: a wrong one never leaves here.

Only the form is checked. Whether a thing of that name exists is looked up before a job is sent (preflight.py).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

LABEL = r"[\w-]{0,63}"
RESERVED = ("content", "goog", "vertex-ai-")  # the label that identifies a job, and those that Google sets


def _like(pattern: str, advice: str) -> AfterValidator:
    """Return a validator of texts that match the whole of `pattern`; `advice` says what to write instead of another."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(advice)
        return text

    return AfterValidator(check)


def _as_text(value: Any) -> Any:
    """Return a number as the text that it was written as; YAML has made a number of it."""
    return str(value) if type(value) is int else value


def _check_bucket(name: str) -> str:
    bare = name.removeprefix("gs://").rstrip("/")
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", name):
        return name
    if bare != name:
        raise ValueError(f"write the name of the bucket alone: {bare.partition('/')[0] or 'my-bucket'}")
    raise ValueError("the name of a bucket has small letters, digits, -, _ and ., at least three of them: my-bucket")


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
        if key.startswith(RESERVED):
            raise ValueError(f"the label {key!r} is set by Google or by `submit`: give it another name")
    if len(labels) > 60:
        raise ValueError(f"{len(labels)} labels: a job has at most 60 of yours")
    return labels


def region_of(path: str) -> str:
    """Return the region in the name of a resource: of projects/P/locations/R/…, or regions/R/…."""
    match = re.search(r"(?:locations|regions)/([^/]+)/", path)
    return match[1] if match else ""


Project = Annotated[
    str,
    _like(
        r"([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{0,29}",
        "write the id of the project (small letters, digits and -), not its number or title; `gcloud projects list` "
        "shows it",
    ),
    BeforeValidator(_as_text),
]
Region = Annotated[
    str, _like(r"[a-z]+-[a-z]+\d+", "write a region without the letter of a zone, for example us-central1")
]
Bucket = Annotated[str, AfterValidator(_check_bucket)]
Image = Annotated[
    str,
    _like(
        r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?(/[a-z0-9._-]+)+(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?",
        "write an image with its registry: REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME:TAG",
    ),
]
ServiceAccount = Annotated[
    str, _like(r"[^@\s:]+@[^@\s]+\.gserviceaccount\.com", "write NAME@PROJECT.iam.gserviceaccount.com")
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
