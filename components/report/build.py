"""Makes the report of a run: an HTML file that opens anywhere, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components import features as f
from components.report import data, page, quality, training
from components.report.run import Artifact, Run

LARGEST_MATRIX = 120  # classes; beyond, a confusion matrix is neither readable nor small
ROW = 34  # height of a stage in the picture of the lineage
ARCS = 108  # width of the arcs beside it
EARLIER = "earlier runs"


def build(run: Run, path: Path) -> None:
    """Write the report of `run` to `path`. The same run gives the same bytes."""
    page.write(
        "report.html",
        path,
        run=run,
        result=run.result,
        verdict=page.verdict(run.result),
        data=data.view(run),
        training=training.view(run),
        test=quality.view(run),
        lineage=lineage(run),
        splits=f.SPLITS,
        largest_matrix=LARGEST_MATRIX,
        seconds=sum(run.result["seconds"].values()),
    )


def lineage(run: Run) -> dict[str, Any]:
    """Where each stage and each arc between two of them is drawn: an arc is what one made and the other read."""
    rows = {step.name: 20 + ROW * i for i, step in enumerate(run.steps, 1)}
    makers = {artifact.id: step.name for step in run.steps for artifact in step.outputs}
    between: dict[tuple[str, str], list[Artifact]] = {}
    for step in run.steps:
        for artifact in step.inputs:
            between.setdefault((makers.get(artifact.id, EARLIER), step.name), []).append(artifact)
    if any(maker == EARLIER for maker, _ in between):
        rows = {EARLIER: 20} | rows
    else:
        rows = {name: y - ROW for name, y in rows.items()}
    arcs = []
    for (maker, reader), artifacts in between.items():
        top, bottom = rows[maker], rows[reader]
        left = ARCS - 12 - (ARCS - 16) * min(1.0, (bottom - top) / (ROW * 10)) ** 0.8
        arcs.append(
            {
                "path": f"M {ARCS} {top} C {left:.1f} {top}, {left:.1f} {bottom}, {ARCS - 4} {bottom}",
                "text": f"{maker} to {reader}: {', '.join(artifact.key for artifact in artifacts)}",
                "earlier": maker == EARLIER,
            }
        )
    steps = {step.name: step for step in run.steps}
    return {
        "rows": [(name, y, steps.get(name)) for name, y in rows.items()],
        "arcs": arcs,
        "height": 20 + ROW * len(rows),
        "x": ARCS,
        "makers": makers,
    }
