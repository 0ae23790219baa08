"""The same stages on other runners than Beam's own in this process: what they make is equal."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import clusters
from components.contracts import evaluation
from components.contracts import features as f
from components.contracts.counts import COUNTS_FILE
from components.contracts.rejects import REJECTED_FILE
from tests.datasets import write_folder
from tests.runs import QUICK, artifact, executed, run
from tests.skips import missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # several processes each import TensorFlow

UP_TO_TRANSFORM = ["ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataGate", "Transform"]


def beam(args: list[str]) -> str:
    return f"beam.args={json.dumps(args)}"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("source") / "pictures")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    """The run directory of a run on FnApiRunner."""
    runs = tmp_path_factory.mktemp("here")
    assert run(runs, pictures, last="Evaluator").exit_code == 0
    return runs


def test_the_portable_runner_makes_the_same(here: Path, pictures: Path, tmp_path: Path) -> None:
    """A job service and two workers, all processes of their own."""
    (tmp_path / "runs").mkdir()
    with clusters.portable(tmp_path, workers=2) as args:
        result = run(tmp_path / "runs", pictures, beam(args), last="Evaluator")
    assert (result.exit_code, executed(result)) == (0, [*UP_TO_TRANSFORM, "Trainer", "Evaluator"]), result.why
    for kind, of in MADE.items():
        assert of(tmp_path / "runs") == of(here), kind


def test_two_hosts_make_the_same(here: Path, pictures: Path, tmp_path: Path) -> None:
    """The pipeline and the job service on one, the workers on the other; their disk is one, as over NFS."""
    with two_hosts(tmp_path) as (submitter, worker):
        job_port, pool_port = clusters.free_port(), clusters.free_port()
        python = [sys.executable, "-m"]
        pool = [*worker.enter, *python, clusters.WORKER_POOL, "--service_port", str(pool_port)]
        service = [*submitter.enter, *python, clusters.JOB_SERVICE, "--port", str(job_port)]
        with clusters.running(tmp_path, pool), clusters.running(tmp_path, service):
            settings = [*QUICK, beam(clusters.portable_args(worker.name, job_port, pool_port))]
            command = [*submitter.enter, *python, "pipeline", "run", "--to", "Transform", "--data", str(pictures)]
            command += ["--run-dir", str(tmp_path / "runs"), *(f"--set={setting}" for setting in settings)]
            env = os.environ | {"PYTHONPATH": str(clusters.ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        assert worker.received() > 100_000  # bytes: the work was sent there
    for kind in ("examples", "statistics", "transform"):
        assert MADE[kind](tmp_path / "runs") == MADE[kind](here), kind


def test_dask_reads_the_images_and_the_other_stages_go_on_here(here: Path, pictures: Path, tmp_path: Path) -> None:
    """Beam's DaskRunner has no side outputs and loses branches: of this chain it can run ExampleGen alone."""
    (tmp_path / "runs").mkdir()
    with clusters.dask(tmp_path, workers=2) as args:
        read = run(tmp_path / "runs", pictures, beam(args), last="ExampleGen")
    assert (read.exit_code, executed(read)) == (0, ["ExampleGen"]), read.why
    assert examples(tmp_path / "runs") == examples(here)
    rest = run(tmp_path / "runs", pictures, first="StatisticsGen", last="StatisticsGen")
    assert (rest.exit_code, executed(rest)) == (0, ["StatisticsGen"])
    assert statistics(tmp_path / "runs") == statistics(here)


def examples(runs: Path) -> dict[str, bytes]:
    """The bytes of every shard, and what was counted."""
    root = Path(artifact(runs, "ExampleGen", "examples").uri)
    files = [*root.glob("Split-*/*"), root / COUNTS_FILE, root / REJECTED_FILE]
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


def statistics(runs: Path) -> dict[str, dict[str, str]]:
    """Of each split, feature by feature: their order is the runner's."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    made = {}
    for split in f.SPLITS:
        path = Path(artifact(runs, "StatisticsGen", "statistics").uri) / f"Split-{split}" / "FeatureStats.pb"
        (of_split,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets
        made[split] = {one.path.step[0]: str(one) for one in of_split.features} | {"": str(of_split.num_examples)}
    return made


def transform(runs: Path) -> dict[str, list[Any]]:
    """The constants of the graph: what was analysed on `train` is in them."""
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    path = Path(artifact(runs, "Transform", "transform_graph").uri) / "transform_fn" / "saved_model.pb"
    (graph,) = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs
    nodes = [*graph.graph_def.node, *(node for one in graph.graph_def.library.function for node in one.node_def)]
    values = [tf.make_ndarray(node.attr["value"].tensor) for node in nodes if node.op == "Const"]
    return {"constants": sorted(str((value.dtype, value.tolist())) for value in values)}


def evaluated(runs: Path) -> dict[str, Any]:
    """To six digits: Beam fits the size of its batches to their time, and a logit's last bits depend on the batch."""
    measured = json.dumps(evaluation.read(artifact(runs, "Evaluator", "evaluation").uri, 0.95).to_dict())
    return dict(json.loads(measured, parse_float=lambda number: float(f"{float(number):.6g}")))


MADE: dict[str, Callable[[Path], dict[str, Any]]] = {
    "examples": examples,
    "statistics": statistics,
    "transform": transform,
    "evaluation": evaluated,
}


class Host:
    """A network namespace."""

    def __init__(self, name: str, space: str, hosts: Path) -> None:
        self.name, self.space = name, space
        script = f'mount --bind {hosts} /etc/hosts && exec "$@"'
        self.enter = ["ip", "netns", "exec", space, "sh", "-c", script, "sh"]

    def received(self) -> int:
        """Bytes."""
        shown = ip("-n", self.space, "-j", "-s", "link", "show", "dev", "eth0")
        return int(json.loads(shown)[0]["stats64"]["rx"]["bytes"])


@contextlib.contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Host, Host]]:
    """Two network namespaces, joined by a pair of virtual cards; each knows the other's name and nothing else."""
    names = {socket.gethostname(): "10.213.7.1", "worker-host": "10.213.7.2"}
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in names.items()))
    made = [Host(name, f"pictures-{os.getpid()}-{i}", hosts) for i, name in enumerate(names)]
    with contextlib.ExitStack() as stack:
        for host in made:
            try:
                ip("netns", "add", host.space)
            except (OSError, subprocess.CalledProcessError) as error:
                why = f"no network namespace can be made here: {getattr(error, 'stderr', error)}"
                missing(why, "REQUIRE_NAMESPACES")  # set on CI where it is root
            stack.callback(ip, "netns", "del", host.space)
        ends = [["eth0", "netns", host.space] for host in made]
        ip("link", "add", *ends[0], "type", "veth", "peer", "name", *ends[1])
        for host in made:
            ip("-n", host.space, "address", "add", f"{names[host.name]}/30", "dev", "eth0")
            for card in ("lo", "eth0"):
                ip("-n", host.space, "link", "set", card, "up")
        yield made[0], made[1]


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout
