"""The report page of a run: a self-contained HTML file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from absl import logging

from components import files
from components.contracts import features as f
from components.contracts import findings, run_result
from components.report import data, evaluation, exports, next_steps, page, training
from components.report.lost import Lost
from components.report.run import (
    ANOMALIES,
    BASELINE_PREDICTIONS,
    EVALUATION,
    EXAMPLES,
    PREDICTIONS,
    PREVIOUS,
    SCHEMA,
    STATISTICS,
    TRAINING,
    Artifact,
    Run,
    Step,
)

ROW = 34  # height of a stage in the image of the lineage
ARCS = 108  # width of the arcs beside it
EARLIER = "earlier runs"
# The view function of each section and the artifacts that it reads.
SECTIONS: dict[str, tuple[Callable[[Run], dict[str, Any] | None], tuple[str, ...]]] = {
    "data": (data.view, (EXAMPLES, STATISTICS, SCHEMA, ANOMALIES, PREVIOUS)),
    "training": (training.view, (TRAINING,)),
    "evaluation": (evaluation.view, (EVALUATION, PREDICTIONS, BASELINE_PREDICTIONS, EXAMPLES)),
}


class Arc(NamedTuple):
    """The artifacts that one stage wrote and another read, as a line in the lineage."""

    path: str  # of SVG
    text: str
    earlier: bool  # an earlier run wrote them


class Lineage(NamedTuple):
    """The drawing of the lineage, in pixels."""

    rows: list[tuple[str, int, Step | None]]  # stage, y, its inputs and outputs
    arcs: list[Arc]
    height: int
    x: int  # of the stages
    makers: dict[int, str]  # the stage that wrote an artifact, by its id


def build(run: Run, path: Path) -> None:
    """Write the report of `run` to `path`. The same run gives the same bytes.

    A section says which of its artifacts are missing or damaged, and shows the rest.
    """
    sections: dict[str, Any] = {}
    unreadable = {}
    for name, (view, artifacts) in SECTIONS.items():
        missed = Lost()
        present = {key: uri for key, uri in run.artifacts.items() if key not in artifacts or missed.is_there(key, uri)}
        notes = [run.lost[key] for key in artifacts if key in run.lost]
        try:
            sections[name] = view(dataclasses.replace(run, artifacts=present))
        except Exception as error:  # the kind of error depends on the format
            logging.exception("the section %s of the report", name)
            sections[name] = None
            among = ", ".join(present[key] for key in artifacts if key in present)
            notes.append(f"damaged, among {among}: {files.error_reason(error)}")
        unreadable[name] = notes + missed.notes
    if (measured := sections["evaluation"]) and measured["answers"] is not None:
        exports.write(path.parent, measured["answers"], measured["names"])
    checked = sections["evaluation"]["checks"] if sections["evaluation"] else []
    refused = run_result.state(run.result) == run_result.REFUSED
    found = sections["data"]["findings"] if sections["data"] else []
    page.write(
        "report.html",
        path,
        scripts=("explore.js", "confidence.js"),
        run=run,
        result=run.result,
        verdict=page.verdict(run.result),
        **sections,
        checks=checked,
        refusals=sorted(checked, key=lambda check: check.passed) if refused else [],
        stops=any(finding["action"] == findings.STOP for finding in found),
        findings_file=findings.CSV_FILE if (path.parent / findings.CSV_FILE).exists() else "",
        next_steps=next_steps.view(run.result, run.command, **sections),
        folder=os.path.abspath(run.result.source) if os.path.isdir(run.result.source) else "",
        lost=unreadable,
        lineage=lineage(run),
        splits=f.SPLITS,
        seconds=sum(run.result.seconds.values()),
    )


def lineage(run: Run) -> Lineage:
    """Lay out the stages and the arcs between them: an arc is an artifact that one wrote and the other read."""
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
            Arc(
                path=f"M {ARCS} {top} C {left:.1f} {top}, {left:.1f} {bottom}, {ARCS - 4} {bottom}",
                text=f"{maker} to {reader}: {', '.join(artifact.key for artifact in artifacts)}",
                earlier=maker == EARLIER,
            )
        )
    steps = {step.name: step for step in run.steps}
    return Lineage(
        rows=[(name, y, steps.get(name)) for name, y in rows.items()],
        arcs=arcs,
        height=20 + ROW * len(rows),
        x=ARCS,
        makers=makers,
    )
