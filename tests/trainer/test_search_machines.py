"""A search on two machines: processes that find each other as Vertex AI's custom jobs do, by TF_CONFIG."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from tfx.types import standard_artifacts

from components.contracts import tuning
from components.versions import COMPILED_WITH
from pipeline.platforms.vertex.local_run.processes import free_ports
from tests.factories import examples_artifact
from tests.trainer.conftest import DIGITS_PRESET, Data

pytestmark = pytest.mark.slow

TRIALS = 5
ROLES = ("chief", "worker")
MACHINE = """
import pickle, sys
from components import progress
from components.trainer.executor import TunerExecutor

progress.listen(lambda line: print(line, flush=True))
TunerExecutor().Do(*pickle.load(open(sys.argv[1], "rb")))
"""


def arguments(digits: Data, root: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Inputs, outputs and properties of the Tuner's executor."""
    examples, graph = examples_artifact(digits.examples), standard_artifacts.TransformGraph()
    graph.uri = digits.graph
    best, results = standard_artifacts.HyperParameters(), standard_artifacts.TunerResults()
    best.uri, results.uri = str(root / "best"), str(root / "results")
    space = {"learning_rate": [0.01, 0.1], "label_smoothing": [0.0, 0.2]}
    told = {"epochs": 2, "width": 4, "checkpoints": str(root / "checkpoints"), "checkpoint_seconds": 0}
    properties = {
        "tuner_fn": "components.trainer.tune.tuner_fn",
        "custom_config": json.dumps(
            {**DIGITS_PRESET, **told, "trials": TRIALS, "space": space, COMPILED_WITH: version("tfx")}
        ),
        "train_args": json.dumps({"splits": ["train"]}),
        "eval_args": json.dumps({"splits": ["validation"]}),
    }
    outputs = {"best_hyperparameters": [best], "tuner_results": [results]}
    return {"examples": [examples], "transform_graph": [graph]}, outputs, properties


def start(root: Path, role: str, ports: list[int]) -> subprocess.Popen[bytes]:
    cluster = {each: [f"127.0.0.1:{port}"] for each, port in zip(ROLES, ports)}
    config = json.dumps({"cluster": cluster, "environment": "cloud", "task": {"type": role, "index": 0}})
    command = [sys.executable, "-c", MACHINE, str(root / "arguments.pickle")]
    with (root / f"{role}.log").open("ab") as log:
        return subprocess.Popen(command, env={**os.environ, "TF_CONFIG": config}, stdout=log, stderr=log)


def wait_until(done: Callable[[], Any], machines: Sequence[subprocess.Popen[bytes]], log: Path) -> None:
    deadline = time.monotonic() + 200
    while not done():
        assert time.monotonic() < deadline
        assert all(machine.poll() is None for machine in machines), log.read_text()[-2000:]
        time.sleep(0.01)


def trained(root: Path, role: str) -> set[int]:
    """The trials that a machine trained to their end."""
    return {
        int(n) for n in re.findall(r"trial (\d)/5, epoch 2/2, loss .* validation", (root / f"{role}.log").read_text())
    }


def check(root: Path, machines: list[subprocess.Popen[bytes]]) -> list[dict[str, float]]:
    codes = [machine.wait(240) for machine in machines]
    assert codes == [0, 0], [(root / f"{role}.log").read_text()[-2000:] for role in ROLES]
    results = tuning.read_trials(str(root / "results"))
    assert len(results) == TRIALS
    scores = [trial["score"] for trial in results]
    assert scores == sorted(scores, reverse=True)
    assert len({trial["learning_rate"] for trial in results}) == TRIALS
    best = tuning.read_best(str(root / "best"))
    assert best["learning_rate"] == results[0]["learning_rate"]
    assert not list((root / "checkpoints").iterdir()), "nothing is kept of a finished search"
    return results


def test_two_machines_share_the_trials_and_resume_after_both_were_killed(digits: Data, tmp_path: Path) -> None:
    (tmp_path / "arguments.pickle").write_bytes(pickle.dumps(arguments(digits, tmp_path)))
    ports = free_ports(2)
    machines = [start(tmp_path, role, ports) for role in ROLES]
    wait_until(lambda: all(trained(tmp_path, role) for role in ROLES), machines, tmp_path / "chief.log")
    for machine in machines:
        machine.send_signal(signal.SIGKILL)
        machine.wait()
    before = trained(tmp_path, "chief") | trained(tmp_path, "worker")
    assert len(before) < TRIALS
    ports = free_ports(2)
    check(tmp_path, [start(tmp_path, role, ports) for role in ROLES])
    assert trained(tmp_path, "chief") | trained(tmp_path, "worker") == set(range(1, TRIALS + 1))


def test_a_machine_that_comes_when_all_is_done_is_told_so(digits: Data, tmp_path: Path) -> None:
    (tmp_path / "arguments.pickle").write_bytes(pickle.dumps(arguments(digits, tmp_path)))
    ports = free_ports(2)
    chief = start(tmp_path, "chief", ports)
    wait_until(lambda: len(trained(tmp_path, "chief")) == TRIALS, [chief], tmp_path / "chief.log")
    check(tmp_path, [chief, start(tmp_path, "worker", ports)])
    assert not trained(tmp_path, "worker")
