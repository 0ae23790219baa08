"""`lineage`: where a served model comes from, what was made from data, and why a model was blessed."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from components.contracts import features as f
from components.contracts.metrics import METRICS
from components.contracts.training import Pretrained
from components.errors import UserError
from components.text import printable
from pipeline.cli.options import CODES, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.output import short
from pipeline.runs import run_dir
from pipeline.tables import print_table, print_titled, solid
from pipeline.tracking import verdicts
from pipeline.tracking.graph import ArtifactNode
from pipeline.tracking.queries import EXAMPLES, HELP, MODEL, Data, RunStore, Version
from pipeline.tracking.serving import PUSHED
from pipeline.tracking.verdicts import Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("", "from the latest pushed model back to its data"), ("--why", "why it was blessed"))
    describe(
        parser,
        "Show what a model was made from, what came of data, and why one was blessed.",
        examples,
        CODES,
    )
    parser.add_argument("what", nargs="?", metavar="WHAT", help=f"{HELP} (default: the latest pushed model)")
    parser.add_argument(
        "--why", action="store_true", help="explain why a version, or the model of a run, was blessed or refused"
    )
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")
    add_store(parser)


def command(config: Config, args: argparse.Namespace) -> int:
    """Print the lineage, or why the model was blessed."""
    return (why if args.why else show)(config, args.what, args.json)


def show(config: Config, reference: str | None, as_json: bool) -> int:
    """Print the ancestors and descendants of an artifact; `reference` is as HELP says."""
    run_store = RunStore(config)
    starts = run_store.find(reference)
    ids = [start.id for start in starts]
    ancestors, descendants = run_store.graph.ancestors(*ids), run_store.graph.descendants(*ids)
    if as_json:
        parts = {"back": [node.to_json() for node in ancestors], "forward": [node.to_json() for node in descendants]}
        model = _model_of(run_store, starts[-1])
        pretrained = _pretrained_json(run_store.pretrained_of(model) if model else None)
        print(json.dumps({"artifact": starts[-1].to_json(), "pretrained": pretrained, **parts}, indent=2))
        return 0
    for start in starts:
        _print_artifact(run_store, start)
    if starts[-1].artifact.type == EXAMPLES:
        _print_models(run_store, run_store.models_of(*ids))
    _print_nodes("made from, back to the data", ancestors)
    _print_nodes("and what came of it", descendants)
    _print_lost(run_store)
    return 0


def why(config: Config, reference: str | None, as_json: bool) -> int:
    """Print why a pushed version or the model of a run was blessed, or was not."""
    run_store = RunStore(config)
    start = run_store.find(reference)[-1]
    version = _version_of(run_store, start)
    run_id = _run(config, reference, start)
    verdict = verdicts.for_version(run_store, version) if version else verdicts.for_run(run_store, run_id)
    if as_json:
        pretrained = _pretrained_json(run_store.pretrained_of(verdict.model))
        print(json.dumps({**_why_json(verdict), "pretrained": pretrained, "lost": run_store.lost.notes}, indent=2))
        return 0
    title = str(version) if version else f"the model of run {run_id} (#{verdict.model.id})"
    print(f"{title} was {'blessed' if verdict.blessed else 'refused'} by run {verdict.run_id}")
    rows = [("check", "needed", "measured", "")]
    for check in verdict.checks:
        passed = check.outcome if check.passed else "FAILED"
        outcome = f"{passed}, but {check.note}" if check.note else passed
        rows.append((check.name, check.needed, solid(check.measured), outcome))
    print_table(rows)
    if verdict.metrics:
        print(f"  intervals at {verdict.metrics['confidence']:.0%}, {verdict.metrics['pictures']:,} test images")
    _print_training(verdict, run_store.pretrained_of(verdict.model))
    _print_baseline(verdict)
    _print_lost(run_store)
    return 0


def _version_of(run_store: RunStore, node: ArtifactNode) -> Version | None:
    return next((version for version in run_store.versions() if version.node.id == node.id), None)


def _run(config: Config, reference: str | None, start: ArtifactNode) -> str:
    """Return the run that `reference` names, else the one that made the artifact."""
    try:
        return run_dir.find_run(config, reference).name if reference else start.run_id
    except UserError:
        return start.run_id


def _print_artifact(run_store: RunStore, start: ArtifactNode) -> None:
    """Print an artifact in a few lines, by its kind."""
    kind = start.artifact.type
    if kind == EXAMPLES:
        _print_data(run_store.data(start))
        return
    if version := _version_of(run_store, start):
        print(f"{version}, pushed by run {_when(start.run_id)}")
        if version.copy_of:
            print(f"  is        version {version.copy_of}, which `rollback` put in front again")
        print(f"  served    {short(version.path)}")
        verdict = verdicts.for_version(run_store, version)
        accuracy = f", accuracy {METRICS['accuracy'].words(verdict.metrics['accuracy'])}" if verdict.metrics else ""
        print(f"  blessed   by run {verdict.run_id}{accuracy}; --why has the details")
    elif kind == PUSHED:
        print(f"run {_when(start.run_id)} pushed nothing; --why has the details")
    else:
        print(f"{start.key} #{start.id}, made by {start.stage} in run {_when(start.run_id)}")
        print(f"  in        {short(start.artifact.uri)}")
    if trained := _model_of(run_store, start):
        print(f"  model     #{trained.id}, trained by run {trained.run_id}")
        if pretrained := run_store.pretrained_of(trained):
            _print_pretrained(pretrained, "  weights   ")
        data = run_store.data_of(trained)
        if data:
            _print_data(data, "  data      ")


def _model_of(run_store: RunStore, node: ArtifactNode) -> ArtifactNode | None:
    """Return the model that the artifact is, or was made from."""
    model = node.id if node.artifact.type == MODEL else next(iter(node.inputs("model")), None)
    return None if model is None else run_store.graph.node(model)


def _print_pretrained(pretrained: Pretrained, title: str) -> None:
    """Print the weights that a training began with."""
    licence = f", licence {pretrained.licence}" if pretrained.licence else ""
    print(f"{title}began with {printable(pretrained.weights)}{licence}")
    for line in filter(None, (f"sha256:{pretrained.sha256}", pretrained.source)):
        print(f"{' ' * len(title)}{line}")


def _pretrained_json(pretrained: Pretrained | None) -> dict[str, str] | None:
    return dataclasses.asdict(pretrained) if pretrained else None


def _print_data(data: Data, title: str = "") -> None:
    indent = " " * (len(title) or 2)
    splits = ", ".join(f"{data.counts.of_split(split):,} {split}" for split in f.SPLITS)
    print(f"{title}#{data.node.id}, {data.counts.images:,} images ({splits}), read by run {_when(data.node.run_id)}")
    print(f"{indent}from {printable(data.source)}, {data.files:,} {_plural(data.files, 'file')}")
    print(f"{indent}{data.fingerprint or 'no fingerprint'}")


def _print_models(run_store: RunStore, models: Sequence[ArtifactNode]) -> None:
    print(f"{len(models):,} {_plural(len(models), 'model')} trained on it" if models else "no model was trained on it")
    versions = run_store.versions()
    for model in models:
        pushed = [f"version {version.version}" for version in versions if model.id in version.node.inputs("model")]
        print(f"  #{model.id:<5} by run {model.run_id}  {', '.join(pushed) or 'not pushed'}")


def _print_training(verdict: Verdict, pretrained: Pretrained | None) -> None:
    model, data = verdict.model, verdict.data
    print(f"trained   by run {model.run_id}: model #{model.id}, code {str(model.parameter('code_fingerprint'))[:12]}")
    print_titled("", ", ".join(f"{key} {value}" for key, value in sorted(verdict.training.items())))
    if pretrained:
        _print_pretrained(pretrained, "weights   ")
    if data:
        uses = zip(f.SPLITS, ("to fit", "to validate", "to test"))
        counts = ", ".join(f"{data.counts.of_split(split):,} {use}" for split, use in uses)
        print(f"on        #{data.node.id}, {counts}")
        print(f"          from {printable(data.source)}, {data.files:,} {_plural(data.files, 'file')}")
        print(f"          {data.fingerprint}")


def _print_baseline(verdict: Verdict) -> None:
    if verdict.baseline is None:
        print("baseline  none: it was the first model")
        return
    versions = ", ".join(map(str, verdict.baseline_versions)) or "not pushed"
    print(f"baseline  #{verdict.baseline.id}, {versions}, trained by run {verdict.baseline.run_id}")


def _print_lost(run_store: RunStore) -> None:
    for line in run_store.lost.notes:
        print(f"lost      {line}")


def _why_json(verdict: Verdict) -> dict[str, Any]:
    baseline, data = verdict.baseline, verdict.data
    return {
        "blessed": verdict.blessed,
        "evaluated_by": verdict.run_id,
        "checks": [dataclasses.asdict(check) for check in verdict.checks],
        "metrics": verdict.metrics,
        "versions": [{"name": v.name, "version": v.version, "path": v.path} for v in verdict.versions],
        "model": {"id": verdict.model.id, "uri": verdict.model.artifact.uri, "trained_by": verdict.model.run_id},
        "training": verdict.training,
        "data": data and _data_json(data),
        "baseline": baseline and {"id": baseline.id, "versions": [v.version for v in verdict.baseline_versions]},
    }


def _data_json(data: Data) -> dict[str, Any]:
    return {
        "id": data.node.id,
        "source": data.source,
        "fingerprint": data.fingerprint,
        "files": data.files,
        "counts": {split: data.counts.of_split(split) for split in data.counts.splits},
    }


def _when(run_id: str) -> str:
    started = run_dir.started(run_id)
    return f"{run_id} ({started:%Y-%m-%d %H:%M})" if started else run_id


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _print_nodes(title: str, nodes: Sequence[ArtifactNode]) -> None:
    if not nodes:
        return
    print(title)
    rows = []
    for node in nodes:
        read = ", ".join(f"{key} #{artifact_id}" for artifact_id, key in node.read.items())
        rows.append((f"#{node.id}", node.key, node.stage, node.run_id, f"from {read}" if read else ""))
    print_table(rows, least=(6, 16, 17, 20), gap=1, right=(0,))
