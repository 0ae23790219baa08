"""`rollback`: serve an earlier pushed version of a model again, as a new version, and record it in ML Metadata."""

from __future__ import annotations

import argparse
import os

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from components import files
from components.contracts import model
from components.errors import UserError
from components.imports import gc_paused
from pipeline.cli.messages import Messages, command_line
from pipeline.cli.options import CODES, add_quiet, add_store
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.output import short
from pipeline.runs import run_dir
from pipeline.tracking import metadata, serving
from pipeline.tracking.queries import RunStore, Version
from pipeline.tracking.server_setup import put_type

ROLLBACK = "Rollback"  # the name of its execution type


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("", "serve the version before the served one"), ("digits/1", "serve a version"))
    describe(parser, "Serve an earlier pushed version of a model again.", examples, CODES)
    help_text = "the version to serve again, as 3 or NAME/3 (default: the one before the served version)"
    parser.add_argument("version", nargs="?", metavar="VERSION", help=help_text)
    add_quiet(parser, "the version", "what the libraries print")
    add_store(parser)


def command(config: Config, args: argparse.Namespace) -> int:
    """Serve the named version again; if none is named, the version before the served one.

    TensorFlow Serving serves the highest version: the earlier one is copied to the next number, as the Pusher does it.

    Raises:
      UserError: there is no such version, it was not blessed, or its folder is gone or damaged.
    """
    messages = Messages.of(args)
    run_store = RunStore(config)
    with run_dir.locked(config):
        target = run_store.version(args.version) if args.version else _before(run_store, run_store.version(None))
        base = os.path.dirname(target.path)
        front = model.front(base)
        with messages.waiting("loading TFX"), gc_paused():
            from components.pusher import executor, manifest
        if not _blessed(run_store, target):
            raise UserError(f"{target} was not blessed; name one that was: see `image-pipeline runs --filter pushed`")
        if wrong := manifest.damage(target.path):
            raise UserError(f"{target} is damaged ({target.path}): {wrong}; name another version")
        with messages.waiting():
            number = executor.push(target.path, base)
        path = f"{base}/{number}"
        if number == front and any(version.path == path for version in run_store.versions()):
            print(f"{target} is what version {front} serves already; nothing was changed")
            return 0
        _record(run_store, target, number, path)
    print(f"version {number} is {target} again, and is served in place of version {front}: {short(path)}")
    predict = command_line(config, "predict", "IMAGE", "--model", target.name)
    messages.next([(predict, "classify an image with it"), (command_line(config, "runs"), "all runs and versions")])
    return 0


def _before(run_store: RunStore, latest: Version) -> Version:
    """Return the version before the served version of this model; a rollback counts as the version it serves again."""
    base = os.path.dirname(latest.path)
    versions = {int(v.version): v for v in run_store.versions() if os.path.dirname(v.path) == base}
    front = versions.get(model.front(base))
    if front is None:
        raise UserError(
            f"the version in front of {base} was not pushed from here; name the one to serve, as {latest.name}/1"
        )
    served = int(front.copy_of or front.version)
    earlier = [n for n, v in versions.items() if n < served and not v.copy_of and files.exists(v.path)]
    if not earlier:
        raise UserError(
            f"{latest.name} has no version before {served} to go back to; push another with `image-pipeline run`"
        )
    return versions[max(earlier)]


def _blessed(run_store: RunStore, version: Version) -> bool:
    ids = [artifact_id for key in ("model_blessing", "infra_blessing") for artifact_id in version.node.inputs(key)]
    blessings = [run_store.graph.node(artifact_id).artifact for artifact_id in ids]
    return bool(blessings) and all(metadata.property_value(blessing, "blessed") == 1 for blessing in blessings)


def _record(run_store: RunStore, target: Version, number: int, path: str) -> None:
    """Record the push as the Pusher does: an execution with the Pusher's inputs, and a PushedModel, in its run."""
    store: mlmd.MetadataStore = run_store.store
    node = target.node
    kind = put_type(store.put_execution_type, pb.ExecutionType(name=ROLLBACK), "execution")
    execution = pb.Execution(type_id=kind, last_known_state=pb.Execution.COMPLETE)
    pushed = pb.Artifact(type_id=store.get_artifact_type(serving.PUSHED).id, uri=path, state=pb.Artifact.LIVE)
    pushed.custom_properties["pushed"].int_value = 1
    pushed.custom_properties["pushed_destination"].string_value = path
    pushed.custom_properties["pushed_version"].string_value = str(number)
    pushed.custom_properties[serving.ROLLED_BACK_TO].string_value = target.copy_of or target.version
    inputs = [(run_store.graph.node(read).artifact, key) for read, key in node.read.items()]
    events = [(artifact, metadata.new_event(pb.Event.INPUT, key)) for artifact, key in inputs]
    events.append((pushed, metadata.new_event(pb.Event.OUTPUT, "pushed_model")))
    contexts = store.get_contexts_by_execution(node.execution.id)
    store.put_execution(execution, events, [c for c in contexts if c.type in ("pipeline", "pipeline_run")])
