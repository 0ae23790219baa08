"""Images by their digest: a tag that moves while a job or a schedule lives must not change its code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from pipeline.platforms.vertex.cloud import FAILED, Cloud
from pipeline.platforms.vertex.preflight import IMAGE


def pinned(cloud: Cloud, spec: str, images: Iterable[str]) -> str:
    """Return the text of a spec with the digest of each image in place of its tag, where Artifact Registry tells it.

    An image that is not there, or may not be looked at, stays as it is: the preflight checks say so.
    """
    for image in set(images):
        match = IMAGE.fullmatch(image)
        if match and not match["digest"] and (digest := _digest(cloud, match)):
            name = image.removesuffix(f":{match['tag']}")
            spec = re.sub(rf"{re.escape(image)}(?![\w.:@/-])", f"{name}@{digest}", spec)
    return spec


def _digest(cloud: Cloud, image: re.Match[str]) -> str | None:
    repository = f"projects/{image['project']}/locations/{image['location']}/repositories/{image['repository']}"
    tag = f"packages/{quote(image['name'], safe='')}/tags/{image['tag'] or 'latest'}"
    try:
        version = cloud.ask("artifactregistry", f"v1/{repository}/{tag}").get("version", "")
    except FAILED:
        return None
    digest = str(version).rpartition("/")[2]
    return digest if re.fullmatch(r"sha256:[0-9a-f]{64}", digest) else None
