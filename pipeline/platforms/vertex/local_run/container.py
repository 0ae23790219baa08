"""Run a container's command in this process, `python -m` this module FOLDER python -m MODULE ...

A custom job that it asks Vertex AI for becomes processes on this machine, below FOLDER: one for each machine of its
pools, with the TF_CONFIG that Vertex AI gives them.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.platforms.vertex.local_run import processes

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import CustomJob

JOB_FILE = "job.json"  # in the folder of a custom job, beside the logs of its machines
FAILED_FILE = "failed"  # in FOLDER: the path of the log of the machine that failed
_ASKS_FOR_JOBS = "pipeline.platforms.vertex.executors.trainer."
_LOOK_AGAIN = 0.2  # seconds


class Jobs:
    """In place of google-cloud-aiplatform's JobServiceClient: a custom job runs here, and has ended when it is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[str, CustomJob] = {}

    def create_custom_job(self, parent: str, custom_job: dict[str, Any]) -> CustomJob:
        """Run a job to its end."""
        from google.cloud import aiplatform_v1

        job = aiplatform_v1.CustomJob(custom_job)  # refuses fields that there are not
        job.name = f"{parent}/customJobs/{os.getpid()}{len(self._jobs)}"
        folder = self._folder / f"{job.display_name}-{len(self._jobs)}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / JOB_FILE).write_text(aiplatform_v1.CustomJob.to_json(job))
        failed, code = _run(list(_machines(job)), folder)
        states = aiplatform_v1.JobState
        job.state = states(states.JOB_STATE_FAILED if failed else states.JOB_STATE_SUCCEEDED)
        if failed:
            job.error.message = f"The replica {failed} exited with a non-zero status of {code}."
            (self._folder / FAILED_FILE).write_text(str(folder / f"{failed}.log"))
        self._jobs[job.name] = job
        return job

    def list_custom_jobs(self, request: Any) -> list[CustomJob]:
        """Return the jobs that still run: none, since a job has ended when it is made."""
        return []

    def cancel_custom_job(self, name: str) -> None:
        """Do nothing: the job has ended."""

    def get_custom_job(self, name: str, **unused: Any) -> CustomJob:
        """Return a job as it is now."""
        return self._jobs[name]


def _machines(job: CustomJob) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield the name, command and variables of each machine of a job's pools."""
    pools = list(job.job_spec.worker_pool_specs)
    roles = [(name, index) for name, pool in zip(("chief", "worker"), pools) for index in range(pool.replica_count)]
    addresses: dict[str, list[str]] = {}
    for (role, _), port in zip(roles, processes.free_ports(len(roles))):
        addresses.setdefault(role, []).append(f"127.0.0.1:{port}")
    for number, pool in enumerate(pools):
        for index in range(pool.replica_count):
            task = {"type": ("chief", "worker")[number], "index": index}
            config = {"cluster": addresses, "environment": "cloud", "task": task}
            variables = {"TF_CONFIG": json.dumps(config)} if len(roles) > 1 else {}
            if folder := job.job_spec.base_output_directory.output_uri_prefix:
                variables["AIP_TENSORBOARD_LOG_DIR"] = f"{folder.rstrip('/')}/logs/"
            command = [*pool.container_spec.command, *pool.container_spec.args]
            yield f"workerpool{number}-{index}", command, variables


def _run(machines: list[tuple[str, list[str], dict[str, str]]], folder: Path) -> tuple[str, int]:
    """Run all machines; return the name and exit code of the first that failed, which ends the others; else "", 0."""
    running = {
        name: processes.start(
            command, processes.environment(folder / "home") | variables, folder / f"{name}.log", False
        )
        for name, command, variables in machines
    }
    try:
        while running:
            for name, process in list(running.items()):
                if process.poll() is None:
                    continue
                if process.returncode:
                    return name, process.returncode
                del running[name]
            time.sleep(_LOOK_AGAIN)
    finally:
        for process in running.values():
            processes.end(process)
    return "", 0


def main(argv: list[str]) -> None:
    folder, python, option, module, *arguments = argv
    if (python, option) != ("python", "-m"):
        raise SystemExit(f"the command of a container begins with `python -m`, not `{python} {option}`")
    if any(argument.startswith(_ASKS_FOR_JOBS) for argument in arguments):
        from tfx.extensions.google_cloud_ai_platform import training_clients

        jobs = Jobs(Path(folder))
        training_clients.gapic.JobServiceClient = lambda client_options: jobs
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
