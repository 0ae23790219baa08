"""The pages of Vertex AI, followed by a new user: the settings, and one command after the other, on the stand-in."""

from __future__ import annotations

import re
import shlex
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1.types import PipelineState

from pipeline import ROOT
from pipeline.cli import main
from tests.pipeline.platforms.vertex.fakes import NUMBER, REGION
from tests.pipeline.platforms.vertex.serving_fakes import VertexServing
from tests.pipeline.platforms.vertex.test_status import blessing

pytestmark = pytest.mark.slow

PAGES = [ROOT / "docs" / name for name in ("vertex.md", "vertex-serving.md", "vertex-automation.md")]
JOB = re.search(r"pipelineJobs/(\S+)", PAGES[0].read_text(encoding="utf-8"))[1]  # that the page shows
RUNNER = "pipeline-runner@my-project.iam.gserviceaccount.com"
SUCCEEDS = {"Evaluator": blessing(1), "ServingCheck": blessing(1), "job": "SUCCEEDED"}
ELSEWHERE = ("run-local", "predict", "batch-predict")  # actions that test_local_run.py, test_predict.py, … run


def blocks() -> list[str]:
    """Return the indented blocks of the pages."""
    parts = [part for page in PAGES for part in re.split(r"\n{2,}", page.read_text(encoding="utf-8"))]
    return [textwrap.dedent(part.rstrip("\n")) for part in parts if part.startswith("    ")]


def end_of(words: list[str]) -> int:
    """Return the exit code of `image-pipeline …` in this process."""
    try:
        return main(words)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.fixture
def standin() -> VertexServing:
    return VertexServing()


def test_each_command_of_the_page_does_what_the_page_says(
    cloud: VertexServing,
    deploy: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    cloud.accounts[RUNNER] = {"iam.serviceAccounts.actAs"}
    deploy()
    deploy(10)
    settings, *_ = (block for block in blocks() if block.startswith("vertex:"))
    Path("cloud.yaml").write_text(settings)
    followed = []
    for block in blocks():
        for line in block.splitlines():
            words = shlex.split(re.split(r"\s+# ", line)[0]) if line.startswith("image-pipeline vertex ") else []
            if not words or words[2] in ELSEWHERE:
                continue
            words = [f"projects/{NUMBER}/locations/{REGION}/pipelineJobs/{JOB}" if w == "…" else w for w in words]
            cloud.frames = [{"job": "RUNNING", "ExampleGen": "RUNNING"}, {"ExampleGen": "SUCCEEDED", **SUCCEEDS}]
            if words[2] == "cancel":
                cloud.jobs[JOB].state = PipelineState.PIPELINE_STATE_RUNNING
            code = end_of(words[1:])
            printed = capfd.readouterr()
            if words[2] == "cancel" and not any(JOB in word for word in words):
                assert (code, JOB in printed.err) == (2, True), printed.err
            else:
                assert code == 0, (line, printed.err)
            followed.append(words[2])
            if words[2] == "submit":  # under the name that the page uses from here on
                cloud.jobs[JOB] = cloud.jobs[next(reversed(cloud.jobs))]
                cloud.jobs[JOB].name = f"projects/{NUMBER}/locations/{REGION}/pipelineJobs/{JOB}"
    assert {"compile", "submit", "status", "cancel", "schedule", "promote", "rollback"} <= set(followed)
    assert cloud.jobs[JOB].state == PipelineState.PIPELINE_STATE_CANCELLED
    assert not cloud.schedules


def test_the_shell_of_the_page_has_every_variable_that_it_uses(tmp_path: Path) -> None:
    """Run the page's blocks as one script, with functions in place of the commands that ask Google Cloud."""
    replies = 'gcloud() { echo "me@example.com"; }; docker() { :; }; make() { :; }; curl() { :; }'
    others = "image-pipeline() { :; }; mkdir() { :; }; terraform() { :; }; git() { echo 1a2b; }"
    of_shell = [block for block in blocks() if re.match(r"(gcloud|PROJECT|IMAGE|for|mkdir|terraform)\b", block)]
    script = "\n".join(["set -eu", replies, others, *of_shell])
    command = ["bash", "-c", script]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
