"""Custom jobs of the stand-in for Google Cloud: their very command runs here, a folder in place of the buckets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.cloud.aiplatform_v1.types import CustomJob, JobState
from google.protobuf import json_format

from pipeline.platforms.vertex.local_run import processes
from tests.pipeline.platforms.vertex.fakes import NUMBER, REGION, GoogleCloud, Refused

_CUSTOM_JOBS = rf"/v1/projects/[^/]+/locations/{REGION}/customJobs"


@dataclass
class WithCustomJobs(GoogleCloud):
    """Google Cloud that runs custom jobs of one machine, at the third look at them.

    Attributes:
      root: a folder for each bucket lies in it; what is in them are the objects.
      state: in which a job ends without being run.
    """

    root: Path = Path()
    state: str = ""
    sent: list[CustomJob] = field(default_factory=list)

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        if method == "POST" and re.fullmatch(_CUSTOM_JOBS, path):
            return self._create(body)
        if method == "GET" and (match := re.fullmatch(rf"{_CUSTOM_JOBS}/(\d+)", path)):
            return self._get(match[1])
        return super().answer(method, path, query, body)

    def bucket_list(self, name: str, query: Any, body: Any) -> Any:
        """One object a page."""
        self.bucket(name, query, body)
        folder = self.root / name
        found = sorted(
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if path.is_file() and str(path.relative_to(folder)).startswith(query["prefix"][0])
        )
        first = int(query.get("pageToken", ["0"])[0])
        page: dict[str, Any] = {"items": [{"name": each} for each in found[first : first + 1]]} if found else {}
        return page | ({"nextPageToken": str(first + 1)} if len(found) > first + 1 else {})

    def _create(self, body: Any) -> Any:
        job = CustomJob.wrap(json_format.ParseDict(body, CustomJob.pb(CustomJob())))
        number = str(4000 + len(self.trainings))
        job.name = f"projects/{NUMBER}/locations/{REGION}/customJobs/{number}"
        job.state = JobState.JOB_STATE_PENDING
        self.trainings[number] = job
        self.sent.append(job)
        return _json(job)

    def _get(self, number: str) -> Any:
        if number not in self.trainings:
            raise Refused(404, f"The custom job {number} does not exist.")
        job = self.trainings[number]
        self.looks += 1
        self.on_look(self.looks)
        if self.state:
            job.state = JobState[f"JOB_STATE_{self.state}"]
        elif self.looks < 3:
            job.state = JobState.JOB_STATE_RUNNING
        elif job.state == JobState.JOB_STATE_RUNNING:
            self._run(job, number)
        return _json(job)

    def _run(self, job: CustomJob, number: str) -> None:
        (pool,) = job.job_spec.worker_pool_specs
        command = [word.replace("gs://", f"file://{self.root}/") for word in pool.container_spec.command]
        log = self.root / f"{number}.log"
        code = processes.start(command, processes.environment(self.root / "home"), log).wait(120)
        self.logs[number] = log.read_text().replace(f"file://{self.root}/", "gs://").splitlines()
        job.state = JobState.JOB_STATE_FAILED if code else JobState.JOB_STATE_SUCCEEDED
        if code:
            job.error.message = f"The replica workerpool0-0 exited with a non-zero status of {code}."


def _json(message: Any) -> Any:
    return json_format.MessageToDict(type(message).pb(message), use_integers_for_enums=True)
