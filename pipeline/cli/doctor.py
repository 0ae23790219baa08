"""`doctor`: check the environment and the run directory; `--fix` cleans what is safe to clean."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata as versions
from pathlib import Path

from components.errors import Damaged, UserError
from pipeline.cli.messages import Messages, command_line
from pipeline.cli.options import CODES, add_config, add_quiet
from pipeline.cli.parser import describe
from pipeline.config import Config
from pipeline.runs import consistency, repair, run_dir
from pipeline.tables import print_table
from pipeline.tracking import metadata

PACKAGES = (
    "tfx",
    "tensorflow",
    "keras",
    "apache-beam",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "ml-metadata",
)
FREE_BYTES = 2 * 10**9  # a CIFAR-10 run needs less than half of it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("", "look, and change nothing"), ("--fix", "clean up after a kill"))
    codes = (("0", "all is well, or fixed"), ("1", "something remains to be fixed"), *CODES[2:])
    describe(parser, "Check the environment and the run directory.", examples, codes)
    add_config(parser, data=False)
    add_quiet(parser, "the findings", "what TensorFlow prints")
    parser.add_argument("--fix", action="store_true", help="fix what can be fixed safely")


@dataclass
class Finding:
    """The result of a check. `fix` fixes it and says what it did; None if there is nothing to fix safely."""

    name: str
    good: bool
    text: str
    fix: Callable[[], str] | None = None


def command(config: Config, args: argparse.Namespace) -> int:
    """Print every finding, and fix it if asked to. Return 0 if all is well or fixed, 1 if something remains."""
    rows = []
    unfixed = fixable = 0
    messages = Messages.of(args)
    for finding in list(_findings(config, messages)):
        rows.append(("ok" if finding.good else "!!", finding.name, finding.text))
        if not finding.good and args.fix and finding.fix:
            rows.append(("", "", f"fixed: {finding.fix()}"))
        elif not finding.good:
            unfixed += 1
            if finding.fix:
                fixable += 1
                rows.append(("", "", "fixable: run `doctor --fix`"))
    print_table(rows, indent=0, gap=1, least=(3,))
    run = (command_line(config, "run"), "run the pipeline") if not unfixed else None
    fix = (command_line(config, "doctor", "--fix"), "fix what can be fixed safely") if fixable else None
    messages.next([step for step in (fix, run) if step])
    return 1 if unfixed else 0


def _findings(config: Config, messages: Messages) -> Iterator[Finding]:
    yield Finding("python", sys.version_info >= (3, 10), sys.version.split()[0])
    yield from map(_package, PACKAGES)
    yield _accelerators(messages)
    folder = Path(config.run_dir)
    free = shutil.disk_usage(run_dir.existing(folder)).free
    yield Finding("disk", free > FREE_BYTES, f"{free / 1e9:.1f} GB free for {config.run_dir}")
    if not folder.exists():
        yield Finding("run directory", True, f"{config.run_dir} does not exist yet; the first run makes it")
        return
    writable = os.access(folder, os.W_OK)
    yield Finding("run directory", writable, f"{config.run_dir}" + ("" if writable else " is not writable"))
    holder, held = run_dir.lock_holder(config)
    if held:
        yield Finding("lock", True, f"held by a running pipeline, process {holder}; the rest is not checked")
        return
    try:
        yield from _state(config)
    except (Damaged, UserError) as error:
        yield Finding("ML Metadata", False, str(error))
        return
    if holder is not None:  # last: until everything else is fixed, the lock tells the next run to clean up
        text = f"left by process {holder}, which is gone"
        yield Finding("lock", False, text, partial(_release, config))


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, versions.version(name))
    except versions.PackageNotFoundError:
        return Finding(name, False, "not installed; `make setup` installs what the lock names")


def _accelerators(messages: Messages) -> Finding:
    with messages.waiting("loading TensorFlow"):
        import tensorflow as tf

        devices = tf.config.list_physical_devices()
    kinds = [device.device_type for device in devices if device.device_type != "CPU"]
    cpus = len(os.sched_getaffinity(0))
    return Finding("accelerators", True, f"{', '.join(kinds) or 'none'}; {cpus} CPU cores")


def _state(config: Config) -> list[Finding]:
    """Return the findings on an unused run directory: executions left RUNNING, incomplete artifacts."""
    findings = []
    store = None
    if metadata.exists(config):
        store = metadata.open_store(config)
        findings.append(Finding("ML Metadata", True, f"{len(metadata.runs(store))} runs"))
    try:
        consistency.check(config)
    except UserError as error:  # the owner of the folders is unknown: nothing is removed
        return [*findings, Finding("artifacts", False, str(error))]
    leftovers = repair.find(config, store, run_dir.run_ids(config))
    examples = (
        f": {', '.join(leftovers.paths[:3])}" + (", …" if len(leftovers.paths) > 3 else "") if leftovers.paths else ""
    )
    findings.append(
        Finding("state", not leftovers, f"{leftovers or 'nothing incomplete'}{examples}", partial(_fix_state, config))
    )
    stopped = run_dir.checkpoints(config)
    if stopped.is_dir() and (number := sum(1 for path in stopped.iterdir() if not path.name.startswith("features-"))):
        text = f"{number} stopped trainings to resume; remove {stopped} to discard them"
        findings.append(Finding("checkpoints", True, text))
    return findings


def _fix_state(config: Config) -> str:
    with run_dir.locked(config):
        return repair.fix(config)


def _release(config: Config) -> str:
    with run_dir.locked(config):
        return "it is free"
