"""`card`: the card of a pushed model, written beside the report of the run that pushed it."""

from __future__ import annotations

import argparse
import dataclasses
import re
import webbrowser
from typing import Any

from components import files
from components.contracts import features as f
from components.errors import UserError
from components.report import card as cards
from components.report import moments, predictions
from pipeline.cli.options import add_config, load_config
from pipeline.config import Config
from pipeline.output import short
from pipeline.runs import report, run_dir
from pipeline.runs.result import Result
from pipeline.tracking import verdicts
from pipeline.tracking.graph import Link
from pipeline.tracking.queries import Known, Version
from pipeline.tracking.verdicts import Blessing

SUMMARY_FILE = "model_summary.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "version", nargs="?", metavar="VERSION", help="as 3 or NAME/3; the one pushed last if not given"
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    add_config(parser, data=False)


def command(args: argparse.Namespace) -> int:
    """Write the card."""
    config, _ = load_config(args)
    return show(config, args.version, args.open)


def show(config: Config, what: str | None, open_it: bool) -> int:
    """Write the card of a pushed version, the latest if `what` is None, and print the paths of page and Markdown."""
    known = Known(config)
    version = known.version(what)
    folder = run_dir.of_run(config, version.link.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    html = folder / run_dir.CARD_FILE
    text = html.with_suffix(".md")
    cards.write(collect(known, version), text, html)
    report.make_index(config)
    print(short(str(html)))
    print(short(str(text)))
    if open_it:
        webbrowser.open(html.as_uri())
    return 0


def collect(known: Known, version: Version) -> cards.Card:
    """What ML Metadata and the artifacts know of a pushed version."""
    graph = known.graph
    judged = verdicts.of_version(known, version)
    data = judged.data
    if not judged.metrics:
        raise UserError(f"{version} has no card: {'; '.join(known.lost.notes) or 'nothing is known of its evaluation'}")
    infra = version.link.inputs("infra_blessing")
    recorded = graph.beside(graph.link(infra[0]), "predictions") if infra else None
    size = judged.training.get("size")
    started = run_dir.started(version.link.run_id)
    return cards.Card(
        name=version.name,
        version=version.version,
        path=version.path,
        runs={"trained": judged.model.run_id, "evaluated": judged.run_id, "pushed": version.link.run_id},
        when=started.isoformat(sep=" ", timespec="minutes") if started else "",
        size=int(size) if size else None,
        parameters=_parameters(known, judged),
        training=judged.training,
        libraries=_libraries(known.config, judged.model.run_id),
        source=data.source if data else "",
        fingerprint=data.fingerprint if data else "",
        files=data.files if data else 0,
        counts=data.counts if data else {},
        measures=_measures(known, judged),
        metrics=judged.metrics,
        baseline=_baseline(judged),
        checks=[dataclasses.asdict(one) for one in judged.checks],
        recorded=known.lost.read("answers", recorded.artifact.uri, predictions.read) if recorded else None,
        lineage=[_row(one) for one in (version.link, *graph.back(version.link.id))],
        lost=known.lost.notes,
    )


def _parameters(known: Known, judged: Blessing) -> int | None:
    record = known.graph.beside(judged.model, "model_run")
    if record is None:
        return None

    def read(uri: str) -> str:
        return files.read_bytes(f"{uri}/{SUMMARY_FILE}").decode()

    summary = known.lost.read("number of parameters", record.artifact.uri, read) or ""
    found = re.search(r"Total params:\s*([\d,]+)", summary)
    return int(found[1].replace(",", "")) if found else None


def _libraries(config: Config, run_id: str) -> dict[str, str]:
    """As the run that trained it noted them."""
    try:
        return Result.read(run_dir.of_run(config, run_id) / run_dir.RESULT_FILE).versions
    except run_dir.DamagedRun:  # or of another run directory
        return {}


def _measures(known: Known, judged: Blessing) -> dict[str, dict[str, tuple[float, float]]]:
    if judged.data is None:
        return {}
    made = known.graph.read_by(judged.data.link.id, "examples")
    uri = next((one.artifact.uri for one in made if one.key == "statistics"), None)
    if uri is None:
        return {}
    by_split = (
        known.lost.read("statistics", uri, lambda at: {split: moments.of_split(at, split) for split in f.SPLITS}) or {}
    )
    named = {name: {split: of[name] for split, of in by_split.items() if name in of} for name in cards.MEASURES}
    return {name: splits for name, splits in named.items() if splits}


def _baseline(judged: Blessing) -> str | None:
    if judged.baseline is None or not judged.metrics.get("baseline"):
        return None
    versions = judged.baseline_versions
    return f"version {versions[-1].version}" if versions else f"model #{judged.baseline.id}"


def _row(link: Link) -> dict[str, Any]:
    return {"id": link.id, "key": link.key, "stage": link.stage, "run_id": link.run_id, "read": link.read}
