"""Makes the report of a run, and the page of all runs: HTML files that open anywhere, offline."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from components import features as f
from components.report import charts, data, quality, training
from components.report.run import Artifact, Run

LARGEST_MATRIX = 120  # classes; beyond, a confusion matrix is neither readable nor small
ROW = 34  # height of a stage in the picture of the lineage
ARCS = 108  # width of the arcs beside it
EARLIER = "earlier runs"


def build(run: Run, path: Path) -> None:
    """Write the report of `run` to `path`. The same run gives the same bytes."""
    _write(
        "report.html",
        path,
        run=run,
        result=run.result,
        verdict=verdict(run.result),
        data=data.view(run),
        training=training.view(run),
        test=quality.view(run),
        lineage=lineage(run),
        splits=f.SPLITS,
        largest_matrix=LARGEST_MATRIX,
        seconds=sum(run.result["seconds"].values()),
    )


def build_index(results: Sequence[tuple[dict[str, Any], Path]], path: Path) -> None:
    """Write the page of all runs to `path`, from the object of each run's result.json and where its report would be.

    `results` begin with the oldest; the page with the newest.
    """
    accuracy: dict[str, list[float]] = {}
    for result, _ in results:
        if result["metrics"]:
            accuracy.setdefault(result["name"], []).append(result["metrics"]["accuracy"]["value"])
    rows = [
        {
            "result": result,
            "verdict": verdict(result),
            "href": _link(str(report), path.parent) if report.exists() else None,
            "seconds": sum(result["seconds"].values()),
        }
        for result, report in reversed(results)
    ]
    drawn = {
        name: charts.lines(
            f"accuracy of {name} by run", {"accuracy": (range(1, len(values) + 1), values)}, "run", percent=True
        )
        for name, values in sorted(accuracy.items())
        if len(values) > 1
    }
    _write("index.html", path, rows=rows, charts=drawn)


def _write(template: str, path: Path, **values: Any) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"pct": _percent, "count": _count, "printable": _printable, "size": _size}
    environment.globals["link"] = lambda uri: _link(uri, path.parent)
    script = _text("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(template).render(
        style=_text("report.css"), script=script, script_digest=digest, **values
    )
    path.write_text(page, encoding="utf-8")


def verdict(result: dict[str, Any]) -> dict[str, str]:
    """How the run ended: {"kind": one of good, refused, failed, plain; "badge": a word; "title": a few words}."""
    stopped = next((name for name, stage in result["stages"].items() if stage["state"] in ("refused", "failed")), None)
    code = result["exit_code"]
    if code == 0 and result["pushed"]:
        return {"kind": "good", "badge": "pushed", "title": f"served as version {result['pushed']['version']}"}
    if code == 0:
        last = next(reversed(result["stages"]), "nothing")
        return {"kind": "plain", "badge": "part", "title": f"ran as far as {last}, as asked"}
    if code == 3 and stopped == "DataGate":
        return {"kind": "refused", "badge": "stopped", "title": "the data cannot be trusted"}
    if code == 3:
        return {"kind": "refused", "badge": "refused", "title": "the model was not pushed"}
    if code == 130:
        return {"kind": "plain", "badge": "interrupted", "title": "stopped from outside"}
    where = f"in {stopped}" if stopped else "before the first stage"
    return {"kind": "failed", "badge": "failed" if code == 1 else "mistake", "title": f"the run ended {where}"}


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


def _text(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _link(uri: str, folder: Path) -> str | None:
    """A relative link to a local file or folder, so that a run directory may be moved; None for what is elsewhere."""
    if "://" in uri or not uri:
        return None
    return quote(os.path.relpath(uri, folder))


def _percent(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}%}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _size(value: float) -> str:
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def _printable(text: str, most: int = 100) -> str:
    """A name for people: on one line, control and direction-changing characters escaped, the middle left out."""
    text = text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 :]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
