"""`rollback`: puts an earlier pushed version of a model back in front, as a new version, and tells ML Metadata."""

from __future__ import annotations

import argparse
import os
from functools import partial

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from components import files
from components.errors import UserError
from components.imports import uncollected
from pipeline.cli.options import add_config, load_config
from pipeline.config import Config
from pipeline.output import all_output_to, short
from pipeline.runs import run_dir
from pipeline.tracking import metadata, serving
from pipeline.tracking.queries import Known, Version
from pipeline.tracking.server_setup import put_type

ROLLBACK = "Rollback"  # the name of its execution type


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    what = "as 3 or NAME/3; the one before what is served now if not given"
    parser.add_argument("version", nargs="?", metavar="VERSION", help=what)
    add_config(parser, data=False)


def command(args: argparse.Namespace) -> int:
    """Serve the earlier version again."""
    config, _ = load_config(args)
    return run(config, args.version)


def run(config: Config, what: str | None) -> int:
    """Serve version `what` again, or the one before what is served now.

    TensorFlow Serving serves the highest version: the earlier one is copied to the next number, as the Pusher does it.

    Raises:
      UserError: there is no such version, it was not blessed, or its folder is gone or damaged.
    """
    known = Known(config)
    with run_dir.locked(config):
        wanted = known.version(what) if what else _before(known, known.version(None))
        base = os.path.dirname(wanted.path)
        front = serving.front(base)
        with all_output_to(os.devnull), uncollected():
            from components.pusher import executor, manifest
        if not _blessed(known, wanted):
            raise UserError(
                f"{wanted} was not blessed; name one that was: see `python -m pipeline runs --filter pushed`"
            )
        if wrong := manifest.damage(wanted.path):
            raise UserError(f"{wanted} is damaged ({wanted.path}): {wrong}; name another version")
        with all_output_to(os.devnull):
            number = executor.push(wanted.path, base)
        path = f"{base}/{number}"
        if number == front and any(one.path == path for one in known.versions()):
            print(f"{wanted} is what version {front} serves already; nothing was changed")
            return 0
        _record(known, wanted, number, path)
    print(f"version {number} is {wanted} again, and is served in place of version {front}: {short(path)}")
    return 0


def _before(known: Known, latest: Version) -> Version:
    """The version before the one that is served of this model; a rollback counts as what it put in front."""
    base = os.path.dirname(latest.path)
    versions = {int(one.version): one for one in known.versions() if os.path.dirname(one.path) == base}
    front = versions.get(serving.front(base))
    if front is None:
        raise UserError(
            f"the version in front of {base} was not pushed from here; name the one to serve, as {latest.name}/1"
        )
    served = int(front.again or front.version)
    earlier = [n for n, one in versions.items() if n < served and not one.again and files.exists(one.path)]
    if not earlier:
        raise UserError(
            f"{latest.name} has no version before {served} to go back to; push another with `python -m pipeline run`"
        )
    return versions[max(earlier)]


def _blessed(known: Known, version: Version) -> bool:
    blessings = [one for key in ("model_blessing", "infra_blessing") for one in version.link.inputs(key)]
    judged = [known.graph.link(one).artifact for one in blessings]
    return bool(judged) and all(metadata.property_value(one, "blessed") == 1 for one in judged)


def _record(known: Known, wanted: Version, number: int, path: str) -> None:
    """As the Pusher's own push of it: an execution that read what the Pusher read, and a PushedModel, in its run."""
    store: mlmd.MetadataStore = known.store
    link = wanted.link
    kind = put_type(store.put_execution_type, pb.ExecutionType(name=ROLLBACK), "execution")
    execution = pb.Execution(type_id=kind, last_known_state=pb.Execution.COMPLETE)
    pushed = pb.Artifact(type_id=store.get_artifact_type(serving.PUSHED).id, uri=path, state=pb.Artifact.LIVE)
    pushed.custom_properties["pushed"].int_value = 1
    pushed.custom_properties["pushed_destination"].string_value = path
    pushed.custom_properties["pushed_version"].string_value = str(number)
    pushed.custom_properties[serving.ROLLED_BACK_TO].string_value = wanted.again or wanted.version
    step = partial(pb.Event.Path.Step)
    pairs = [(known.graph.link(one).artifact, pb.Event.INPUT, key) for one, key in link.read.items()]
    pairs.append((pushed, pb.Event.OUTPUT, "pushed_model"))
    events = []
    for artifact, way, key in pairs:
        event = pb.Event(type=way)
        event.path.steps.append(step(key=key))
        event.path.steps.append(step(index=0))
        events.append((artifact, event))
    contexts = [one for one in store.get_contexts_by_execution(link.execution.id) if one.type != "node"]
    store.put_execution(execution, events, [one for one in contexts if one.type in ("pipeline", "pipeline_run")])
