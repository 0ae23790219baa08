"""What the gate found, and the images that it is about."""

from __future__ import annotations

from typing import Any

from components.contracts import features as f
from components.report import thumbnails
from components.report.run import PICTURES, Run

GROUPS = 12  # of images with the same pixels, shown of a finding
SEARCHED = 200_000_000  # bytes of training images looked through for them, at most


def view(run: Run) -> list[dict[str, Any]]:
    """Of each finding {"kind", "action", "message", "groups"}: a group is one image and the places where it is.

    The images of a group have the same pixels, so that any of them will do; that of the smallest split is shown.
    """
    groups: list[dict[str, Any]] = []
    shown = []
    for finding in run.result.findings:
        own = [
            {"uri": None, "pictures": example["pictures"]}
            for example in finding.examples[:GROUPS]
            if "pictures" in example
        ]
        groups += own
        shown.append({"kind": finding.kind, "action": finding.action, "message": finding.message, "groups": own})
    examples = run.artifacts.get(PICTURES)
    for split in reversed(f.SPLITS) if examples else ():
        sources = {
            place["source"] for one in groups if not one["uri"] for place in one["pictures"] if place["split"] == split
        }
        uris = thumbnails.of_sources(str(examples), split, sources, SEARCHED if split == f.TRAIN else None)
        for one in groups:
            found = [uris[p["source"]] for p in one["pictures"] if p["split"] == split and p["source"] in uris]
            one["uri"] = one["uri"] or (found[0] if found else None)
    return shown
