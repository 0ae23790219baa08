"""The findings of DataGate, with the images concerned."""

from __future__ import annotations

from typing import Any

from components.contracts import features as f
from components.contracts.findings import STOP
from components.report import thumbnails
from components.report.run import EXAMPLES, Run

GROUPS = 12  # of images with the same pixels, shown of a finding
SEARCHED = 200_000_000  # bytes of training images looked through for them, at most


def view(run: Run) -> list[dict[str, Any]]:
    """Return a row a finding, those that stopped the run first; a group is one image and the places where it is.

    The images of a group have the same pixels, so that any of them will do; that of the smallest split is shown.
    """
    groups: list[dict[str, Any]] = []
    rows = []
    for finding in sorted(run.result.findings, key=lambda finding: finding.action != STOP):
        own = [
            {"uri": None, "pictures": example["pictures"]}
            for example in finding.examples[:GROUPS]
            if "pictures" in example
        ]
        groups += own
        row = {"kind": finding.kind, "action": finding.action, "message": finding.message, "groups": own}
        rows.append(row | {"summary": finding.summary or finding.message, "count": finding.count})
    examples = run.artifacts.get(EXAMPLES)
    for split in reversed(f.SPLITS) if examples else ():
        sources = {
            place["source"]
            for group in groups
            if not group["uri"]
            for place in group["pictures"]
            if place["split"] == split
        }
        uris = thumbnails.of_sources(str(examples), split, sources, SEARCHED if split == f.TRAIN else None)
        for group in groups:
            matches = [uris[p["source"]] for p in group["pictures"] if p["split"] == split and p["source"] in uris]
            group["uri"] = group["uri"] or (matches[0] if matches else None)
    return rows
