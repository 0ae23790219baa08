"""Labels by which the jobs of a run are found, stopped and billed: its pipeline job, custom jobs and Dataflow jobs."""

from __future__ import annotations

import json
import os
import re

RUN, STAGE = "pipeline_run", "pipeline_stage"  # with no dash: it would be an operator in a filter
CONTENT = "content"  # of a pipeline job: a hash of all that was sent
VARIABLE = "VERTEX_AI_PIPELINES_RUN_LABELS"  # JSON; Vertex AI sets it in every container of a run, for billing


def value(text: str) -> str:
    """Return the name of a job or a stage as the value of a label: its end, which is what differs from run to run."""
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[-63:]


def of_task(output_file: str) -> dict[str, str]:
    """Return what the jobs of a task are labelled with: as Vertex AI says in the environment, the run, and the stage.

    Args:
      output_file: …/PROJECT_NUMBER/JOB/STAGE_NUMBER/executor_output.json, as Vertex AI names it.
    """
    job, task = output_file.split("/")[-3:-1]
    return {**given(), RUN: value(job), STAGE: value(task.rpartition("_")[0] or task)}


def given() -> dict[str, str]:
    """Return the labels that the environment has."""
    labels: dict[str, str] = json.loads(os.environ.get(VARIABLE) or "{}")
    return labels
