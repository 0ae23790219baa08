"""`card`: the card of a pushed model, beside the report of the run that pushed it."""

from __future__ import annotations

import argparse
import contextlib
import webbrowser
from collections.abc import Sequence
from typing import Any

from components.contracts import features as f
from components.contracts import predictions, training
from components.contracts import statistics as stats
from components.errors import UserError
from components.report import card as cards
from components.report.run import Page
from pipeline.cli.messages import Messages, command_line
from pipeline.cli.options import CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.output import short
from pipeline.runs import report, run_dir
from pipeline.runs import result as results
from pipeline.tracking import verdicts
from pipeline.tracking.graph import ArtifactNode
from pipeline.tracking.queries import RunStore, Version
from pipeline.tracking.verdicts import Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("--open", "the card of the latest pushed model"), ("digits/2", "the card of a version"))
    describe(parser, "Write the model card of a pushed model, as a page and as Markdown.", examples, CODES)
    parser.add_argument(
        "version", nargs="?", metavar="VERSION", help="a pushed version, as 3 or NAME/3 (default: the latest)"
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    add_quiet(parser, "the paths", "what the libraries print")
    add_store(parser)


def command(config: Config, args: argparse.Namespace) -> int:
    """Write the card of a pushed version (none named: the latest) and print the paths of page and Markdown."""
    run_store = RunStore(config)
    version = run_store.version(args.version)
    folder = run_dir.of_run(config, version.node.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    html = folder / run_dir.CARD_FILE
    text = html.with_suffix(".md")
    messages = Messages.of(args)
    with messages.waiting("writing the card"):
        cards.write(collect(run_store, version), text, html)
        report.make_index(config)
    print(short(str(html)))
    print(short(str(text)))
    if args.open:
        webbrowser.open(html.as_uri())
    else:
        words = [args.version] if args.version else []
        steps = [(command_line(config, "card", *words, "--open"), "open it in the browser")]
        messages.next([*steps, (command_line(config, "lineage", *words), "where the model comes from")])
    return 0


def collect(run_store: RunStore, version: Version) -> cards.Card:
    """Collect the content of a pushed version's card from ML Metadata and the artifacts."""
    graph = run_store.graph
    verdict = verdicts.for_version(run_store, version)
    data = verdict.data
    if not verdict.metrics:
        reason = "; ".join(run_store.lost.notes) or "nothing is known of its evaluation"
        raise UserError(f"{version} has no card: {reason}")
    infra = version.node.inputs("infra_blessing")
    recorded = graph.sibling(graph.node(infra[0]), "predictions") if infra else None
    size = verdict.training.get("size")
    started = run_dir.started(version.node.run_id)
    return cards.Card(
        name=version.name,
        version=version.version,
        path=version.path,
        runs={"trained": verdict.model.run_id, "evaluated": verdict.run_id, "pushed": version.node.run_id},
        when=started.isoformat(sep=" ", timespec="minutes") if started else "",
        size=int(size) if size else None,
        parameters=_parameters(run_store, verdict),
        pretrained=run_store.pretrained_of(verdict.model),
        training=verdict.training,
        libraries=_libraries(run_store.config, verdict.model.run_id),
        source=data.source if data else "",
        fingerprint=data.fingerprint if data else "",
        files=data.files if data else 0,
        counts=data.counts.splits if data else {},
        measures=_measures(run_store, verdict),
        metrics=verdict.metrics,
        baseline=_baseline(verdict),
        checks=verdict.checks,
        recorded=run_store.lost.read("answers", recorded.artifact.uri, predictions.read) if recorded else None,
        lineage=[_row(node) for node in (version.node, *graph.ancestors(version.node.id))],
        lost=run_store.lost.notes,
        reduced_to=data.settings.max_side if data and data.counts.reduced else None,
        fit=_fit(run_store.config, verdict.model.run_id),
        examples=data.node.artifact.uri if data else None,
        pages=_pages(run_store.config, version.node.run_id, verdict.run_id),
        **_stated(run_store.config, (version.node.run_id, verdict.model.run_id)),
    )


def _parameters(run_store: RunStore, verdict: Verdict) -> int | None:
    """Return the number of parameters, as the record of the training has it."""
    record = run_store.graph.sibling(verdict.model, "model_run")
    if record is None:
        return None
    return run_store.lost.read("number of parameters", record.artifact.uri, training.read_parameters)


def _libraries(config: Config, run_id: str) -> dict[str, str]:
    """Return the library versions in the result of the run that trained the model; empty without that result."""
    try:
        return results.read(run_dir.of_run(config, run_id) / run_dir.RESULT_FILE).versions
    except run_dir.DamagedRun:  # or of another run directory
        return {}


def _fit(config: Config, run_id: str) -> str | None:
    """Return the `transform.fit` of the run that trained the model; earlier versions had no other than squash."""
    try:
        stored = run_dir.read_config(run_dir.of_run(config, run_id))
    except run_dir.DamagedRun:  # or of another run directory
        return None
    return str(stored.get("transform", {}).get("fit", "squash"))


def _pages(config: Config, pushed: str, evaluated: str) -> list[Page]:
    """Return the page of all runs and the reports of the runs that pushed and evaluated the model."""
    titles = {evaluated: "Report of its evaluation", pushed: "Report"}  # they are the same run, as a rule
    reports = [Page(title, run_dir.of_run(config, run) / run_dir.REPORT_FILE) for run, title in titles.items()]
    return [report.index_page(config), *(page for page in reports if page.path.exists())]


def _stated(config: Config, run_ids: Sequence[str]) -> dict[str, str | None]:
    """Return the section `card` of the configuration; what it does not state is as the runs' configurations have it."""
    stated: dict[str, str | None] = config.card.model_dump()
    for run_id in run_ids:
        with contextlib.suppress(run_dir.DamagedRun):  # or of another run directory
            had = run_dir.read_config(run_dir.of_run(config, run_id)).get("card", {})
            stated = {key: value or had.get(key) for key, value in stated.items()}
    return stated


def _measures(run_store: RunStore, verdict: Verdict) -> dict[str, dict[str, stats.Moments]]:
    if verdict.data is None:
        return {}
    datasets = run_store.graph.made_from(verdict.data.node.id, "examples")
    uri = next((node.artifact.uri for node in datasets if node.key == "statistics"), None)
    if uri is None:
        return {}

    def read(at: str) -> dict[str, dict[str, stats.Moments]]:
        return {split: stats.moments(at, split) for split in f.SPLITS}

    by_split = run_store.lost.read("statistics", uri, read) or {}
    named = {name: {split: of[name] for split, of in by_split.items() if name in of} for name in cards.MEASURES}
    return {name: splits for name, splits in named.items() if splits}


def _baseline(verdict: Verdict) -> str | None:
    if verdict.baseline is None or not verdict.metrics.get("baseline"):
        return None
    versions = verdict.baseline_versions
    return f"version {versions[-1].version}" if versions else f"model #{verdict.baseline.id}"


def _row(node: ArtifactNode) -> dict[str, Any]:
    return {"id": node.id, "key": node.key, "stage": node.stage, "run_id": node.run_id, "read": node.read}
