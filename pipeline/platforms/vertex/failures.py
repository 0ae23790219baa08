"""Why a stage failed: the exception in its log, or in that of the training that it started."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from google.cloud.aiplatform_v1.types import CustomJob, JobState, PipelineJob, PipelineTaskDetail

from pipeline.platforms.vertex import nested
from pipeline.platforms.vertex.cloud import FAILED, Cloud, log_page, one_line

RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]*(Error|Exception|Refused|Interrupt|Exit|Warning)\w*)(: |$)")
TRAINING = re.compile(r"/customJobs/(\d+)")


class _Reason(NamedTuple):
    number: str  # of the custom job whose log tells more
    kind: str  # of the exception, empty where none is known
    line: str


def tell(cloud: Cloud, job: PipelineJob, task: PipelineTaskDetail) -> int:
    """Print why a stage failed: the exception in its log if the log is readable, else Vertex AI's message.

    Returns:
      The exit code: 3 a gate refused, 1 all else.
    """
    reason = _reason(cloud, job, task)
    refused = reason.kind.endswith("GateRefused")
    print(f"{'refused' if refused else 'failed':<9} {task.task_name}: {one_line(reason.line)}")
    if reason.number:
        print(f"log       {log_page(cloud.project, reason.number)}")
    return 3 if refused else 1


def _reason(cloud: Cloud, job: PipelineJob, task: PipelineTaskDetail) -> _Reason:
    """Return what is known. A stage that starts a training says only that it did not succeed; its log says why."""
    container = task.executor_detail.container_detail.main_job or task.executor_detail.custom_job_detail.job
    own = container.rpartition("/")[2]
    kind, line = (_raised(cloud, own) if own else None) or ("", one_line(task.error.message) or "no reason given")
    training = _training(cloud, job, task)
    if training is None:
        named = TRAINING.search(line)  # in an image whose jobs have no labels, or where they may not be listed
        return _Reason(named[1], *(_raised(cloud, named[1]) or (kind, line))) if named else _Reason(own, kind, line)
    if training.state == JobState.JOB_STATE_SUCCEEDED:
        return _Reason(own, kind, line)
    number = nested.number(training)
    return _Reason(number, *(_raised(cloud, number) or (kind, one_line(training.error.message) or line)))


def _training(cloud: Cloud, job: PipelineJob, task: PipelineTaskDetail) -> CustomJob | None:
    """Return the latest custom job that the stage started."""
    try:
        return next(iter(nested.trainings(cloud, job, task.task_name)), None)
    except FAILED:
        return None


def _raised(cloud: Cloud, number: str) -> tuple[str, str] | None:
    """Return (type, line) of the exception in a custom job's log; None if there is none or no permission.

    Of several machines the one that failed first is told: the others fail because of it.
    """
    found: dict[str, tuple[str, str]] = {}  # by machine, its last exception
    for machine, line in lines(cloud, number):
        if (match := RAISED.match(line)) and machine not in found:
            found[machine] = (match["type"], line)
    return next(reversed(found.values()), None)


def lines(cloud: Cloud, number: str) -> Iterator[tuple[str, str]]:
    """Yield the machine and the text of each line in a custom job's log, the newest first; none without permission."""
    query = {
        "resourceNames": [f"projects/{cloud.project}"],
        "filter": f'resource.type="ml_job" AND resource.labels.job_id="{number}"',
        "orderBy": "timestamp desc",
        "pageSize": 500,
    }
    try:
        entries = cloud.ask("logging", "v2/entries:list", query).get("entries", [])
    except FAILED:
        return
    for entry in entries:
        machine = str(entry.get("resource", {}).get("labels", {}).get("task_name", ""))
        text = str(entry.get("textPayload") or entry.get("jsonPayload", {}).get("message", ""))
        yield from ((machine, line) for line in reversed(text.splitlines()))
