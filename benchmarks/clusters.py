"""The services that Beam's runners need, as processes on this machine; for tests and benchmarks."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DASK = "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"
JOB_SERVICE = "apache_beam.runners.portability.local_job_service_main"
WORKER_POOL = "apache_beam.runners.worker.worker_pool_main"


@contextlib.contextmanager
def portable(folder: Path, workers: int = 1) -> Iterator[list[str]]:
    """Beam's Python job service and a pool of workers; the arguments with which a pipeline runs there."""
    job_port, pool_port = free_port(), free_port()
    with (
        running(folder, [sys.executable, "-m", JOB_SERVICE, "--port", str(job_port)], job_port),
        running(folder, [sys.executable, "-m", WORKER_POOL, "--service_port", str(pool_port)], pool_port),
    ):
        yield [*portable_args("localhost", job_port, pool_port), f"--direct_num_workers={workers}"]


def portable_args(pool_host: str, job_port: int, pool_port: int) -> list[str]:
    return [
        "--runner=PortableRunner",
        f"--job_endpoint=localhost:{job_port}",
        "--environment_type=EXTERNAL",
        f"--environment_config={pool_host}:{pool_port}",
    ]


@contextlib.contextmanager
def dask(folder: Path, workers: int = 1) -> Iterator[list[str]]:
    """Start a scheduler and workers of one thread each; yield the arguments with which a pipeline runs there."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    worker = ["distributed.cli.dask_worker", address, "--nworkers", str(workers), "--nthreads", "1"]
    with contextlib.ExitStack() as stack:
        for command in (scheduler, [*worker, "--local-directory", str(folder)]):
            stack.enter_context(running(folder, [sys.executable, "-m", *command, "--no-dashboard"], port))
        # An element a partition: an element is a unit of thousands of images.
        yield [DASK, f"--dask_client_address={address}", "--dask_partition_size=1"]


@contextlib.contextmanager
def running(folder: Path, command: Sequence[str], port: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, yield once it listens on `port` of this machine, and stop it at the end.

    Its workers find `python` and this project: a pool starts them by that name.
    """
    log = folder / f"{command[-1].lstrip('-')}-{time.monotonic_ns()}.log"
    env = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    env |= {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 120
        while port is not None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} does not listen:\n{log.read_text()}")
            with contextlib.suppress(OSError), socket.create_connection(("localhost", port), 1):
                break
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
