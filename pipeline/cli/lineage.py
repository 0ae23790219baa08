"""`lineage`: where a served model comes from, what came of data, and why a model was blessed."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from components.contracts import features as f
from components.errors import UserError
from components.names import printable
from pipeline.cli.options import add_config, load_config
from pipeline.config import Config
from pipeline.output import short
from pipeline.runs import run_dir
from pipeline.tracking import verdicts
from pipeline.tracking.graph import Link
from pipeline.tracking.queries import EXAMPLES, HELP, MODEL, Data, Known
from pipeline.tracking.serving import PUSHED
from pipeline.tracking.verdicts import Blessing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("what", nargs="?", metavar="WHAT", help=f"{HELP}; the model pushed last if not given")
    parser.add_argument("--why", action="store_true", help="why the version, or the model of the run, was blessed")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")
    add_config(parser, data=False)


def command(args: argparse.Namespace) -> int:
    """Print the lineage, or why the model was blessed."""
    config, _ = load_config(args)
    return (why if args.why else show)(config, args.what, args.json)


def show(config: Config, what: str | None, as_json: bool) -> int:
    """Print where a pushed version, a run's result, an artifact or data comes from, and what came of it."""
    known = Known(config)
    starts = known.find(what)
    ids = [one.id for one in starts]
    back, forward = known.graph.back(*ids), known.graph.forward(*ids)
    if as_json:
        parts = {"back": [one.to_json() for one in back], "forward": [one.to_json() for one in forward]}
        print(json.dumps({"artifact": starts[-1].to_json(), **parts}, indent=2))
        return 0
    for start in starts:
        _tell(known, start)
    if starts[-1].artifact.type == EXAMPLES:
        _tell_models(known, known.models_of(*ids))
    _print_links("made from, back to the data", back)
    _print_links("and what came of it", forward)
    _tell_lost(known)
    return 0


def why(config: Config, what: str | None, as_json: bool) -> int:
    """Print why a pushed version or the model of a run was blessed, or was not."""
    known = Known(config)
    start = known.find(what)[-1]
    version = next((one for one in known.versions() if one.link.id == start.id), None)
    judged = verdicts.of_version(known, version) if version else verdicts.of_run(known, _run(config, what, start))
    if as_json:
        print(json.dumps({**_why_json(judged), "lost": known.lost.notes}, indent=2))
        return 0
    title = str(version) if version else f"the model of run {_run(config, what, start)} (#{judged.model.id})"
    print(f"{title} was {'blessed' if judged.blessed else 'refused'} by run {judged.run_id}")
    rows = [("check", "needed", "measured", "")]
    rows += [(one.name, one.needed, one.measured, "passed" if one.passed else "FAILED") for one in judged.checks]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row, note in zip(rows, ["", *(one.note for one in judged.checks)]):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip()
        print(f"  {line}{f', but {note}' if note else ''}")
    if judged.metrics:
        print(f"  intervals at {judged.metrics['confidence']:.0%}, {judged.metrics['pictures']:,} test pictures")
    _tell_training(judged)
    _tell_baseline(judged)
    _tell_lost(known)
    return 0


def _run(config: Config, what: str | None, start: Link) -> str:
    """The run that is named, else the one that made the artifact."""
    try:
        return run_dir.find_run(config, what).name if what else start.run_id
    except UserError:
        return start.run_id


def _tell(known: Known, start: Link) -> None:
    """The artifact in a few lines, in the words of its kind."""
    kind = start.artifact.type
    if kind == EXAMPLES:
        _tell_data(known.data(start))
        return
    version = next((one for one in known.versions() if one.link.id == start.id), None)
    if version:
        print(f"{version}, pushed by run {_when(start.run_id)}")
        if version.again:
            print(f"  is        version {version.again}, which `rollback` put in front again")
        print(f"  served    {short(version.path)}")
        judged = verdicts.of_version(known, version)
        accuracy = f", accuracy {verdicts.interval(judged.metrics['accuracy'])}" if judged.metrics else ""
        print(f"  blessed   by run {judged.run_id}{accuracy}; --why says more")
    elif kind == PUSHED:
        print(f"run {_when(start.run_id)} pushed nothing; --why says more")
    else:
        print(f"{start.key} #{start.id}, made by {start.stage} in run {_when(start.run_id)}")
        print(f"  in        {short(start.artifact.uri)}")
    model = start.id if kind == MODEL else next(iter(start.inputs("model")), None)
    if model is not None:
        trained = known.graph.link(model)
        print(f"  model     #{model}, trained by run {trained.run_id}")
        data = known.data_of(trained)
        if data:
            _tell_data(data, "  ")


def _tell_data(data: Data, indent: str = "") -> None:
    splits = ", ".join(f"{data.of_split(split):,} {split}" for split in f.SPLITS)
    where = "data      " if indent else ""
    own = "" if indent else "  "
    print(
        f"{indent}{where}#{data.link.id}, {data.pictures:,} pictures ({splits}), read by run {_when(data.link.run_id)}"
    )
    print(f"{indent}{own}{' ' * len(where)}from {printable(data.source)}, {data.files:,} {_plural(data.files, 'file')}")
    print(f"{indent}{own}{' ' * len(where)}{data.fingerprint or 'no fingerprint'}")


def _tell_models(known: Known, models: Sequence[Link]) -> None:
    print(f"{len(models):,} {_plural(len(models), 'model')} trained on it" if models else "no model was trained on it")
    versions = known.versions()
    for model in models:
        pushed = [f"version {one.version}" for one in versions if model.id in one.link.inputs("model")]
        print(f"  #{model.id:<5} by run {model.run_id}  {', '.join(pushed) or 'not pushed'}")


def _tell_training(judged: Blessing) -> None:
    model, data = judged.model, judged.data
    print(f"trained   by run {model.run_id}: model #{model.id}, code {str(model.parameter('code_fingerprint'))[:12]}")
    print(f"          {', '.join(f'{key} {value}' for key, value in sorted(judged.training.items()))}")
    if data:
        uses = zip(f.SPLITS, ("to fit", "to validate", "to test"))
        counts = ", ".join(f"{data.of_split(split):,} {use}" for split, use in uses)
        print(f"on        #{data.link.id}, {counts}")
        print(f"          from {printable(data.source)}, {data.files:,} {_plural(data.files, 'file')}")
        print(f"          {data.fingerprint}")


def _tell_baseline(judged: Blessing) -> None:
    if judged.baseline is None:
        print("baseline  none: it was the first model")
        return
    versions = ", ".join(map(str, judged.baseline_versions)) or "not pushed"
    print(f"baseline  #{judged.baseline.id}, {versions}, trained by run {judged.baseline.run_id}")


def _tell_lost(known: Known) -> None:
    for line in known.lost.notes:
        print(f"lost      {line}")


def _why_json(judged: Blessing) -> dict[str, Any]:
    return {
        "blessed": judged.blessed,
        "evaluated_by": judged.run_id,
        "checks": [dataclasses.asdict(one) for one in judged.checks],
        "metrics": judged.metrics,
        "versions": [{"name": one.name, "version": one.version, "path": one.path} for one in judged.versions],
        "model": {"id": judged.model.id, "uri": judged.model.artifact.uri, "trained_by": judged.model.run_id},
        "training": judged.training,
        "data": judged.data and _data_json(judged.data),
        "baseline": judged.baseline
        and {"id": judged.baseline.id, "versions": [one.version for one in judged.baseline_versions]},
    }


def _data_json(data: Data) -> dict[str, Any]:
    return {
        "id": data.link.id,
        "source": data.source,
        "fingerprint": data.fingerprint,
        "files": data.files,
        "counts": {split: data.of_split(split) for split in data.counts},
    }


def _when(run_id: str) -> str:
    started = run_dir.started(run_id)
    return f"{run_id} ({started:%Y-%m-%d %H:%M})" if started else run_id


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _print_links(title: str, links: Sequence[Link]) -> None:
    if not links:
        return
    print(title)
    for link in links:
        read = ", ".join(f"{key} #{one}" for one, key in link.read.items())
        source = f"from {read}" if read else ""
        print(f"  {f'#{link.id}':>6} {link.key:<16} {link.stage:<17} {link.run_id:<20} {source}".rstrip())
