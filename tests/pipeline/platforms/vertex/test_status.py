"""`vertex status` and what follows `vertex submit`: the stages until the end, and how it ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pipeline import ROOT
from tests.pipeline.platforms.vertex.conftest import Answer
from tests.pipeline.platforms.vertex.fakes import PROJECT, Fault, GoogleCloud, Refused

pytestmark = pytest.mark.slow

Vertex = Callable[..., Answer]
LOG = (
    "https://console.cloud.google.com/logs/query;query=resource.type%3D%22ml_job%22%0Aresource.labels.job_id%3D%2277%22"
)


def failed(message: str) -> tuple[str, dict[str, Any]]:
    """A stage that failed in the custom job 77."""
    job = {"containerDetail": {"mainJob": "projects/123456/locations/us-central1/customJobs/77"}}
    return "FAILED", {"error": {"code": 9, "message": message}, "executorDetail": job}


def blessing(blessed: int) -> tuple[str, dict[str, Any]]:
    return "SUCCEEDED", {"outputs": {"blessing": {"artifacts": [{"metadata": {"blessed": blessed}}]}}}


def tail(answer: Answer) -> list[str]:
    """What is said after the way to the job."""
    lines = answer.out.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("console")) + 1 :]


def test_stages_are_told_as_they_begin_and_end(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.frames = [
        {"job": "RUNNING", "cifar10": "RUNNING", "ExampleGen": "PENDING"},
        {"ExampleGen": "RUNNING"},
        {},
        {"ExampleGen": "SUCCEEDED", "StatisticsGen": "SKIPPED"},
        {"SchemaGen": "RUNNING", "Trainer": "RUNNING"},
        {"Trainer": "SUCCEEDED", "SchemaGen": "SUCCEEDED", "Evaluator": blessing(1), "job": "SUCCEEDED"},
    ]
    answer = vertex("submit")
    assert (answer.code, answer.err) == (0, "")
    assert tail(answer) == [
        "  ExampleGen        running",
        "  ExampleGen        done       62.0 s",
        "  StatisticsGen     cached     62.0 s",
        "  SchemaGen         running",
        "  Trainer           running",
        "  SchemaGen         done       62.0 s",
        "  Trainer           done       62.0 s",
        "  Evaluator         done       62.0 s",
        "succeeded",
    ]


def test_a_failed_stage_is_told_with_the_exception_in_its_log(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.logs["77"] = [
        "Traceback (most recent call last):",
        '  File "run.py", line 1, in <module>',
        "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM \x1b[2Jwhen allocating",
        "the job is being torn down",
    ]
    frame = {"ExampleGen": "SUCCEEDED", "Trainer": failed("exited with status 1"), "Evaluator": "NOT_TRIGGERED"}
    cloud.frames = [{**frame, "job": "FAILED"}]
    answer = vertex("submit")
    assert answer.code == 1
    lines = tail(answer)
    assert "  Trainer           failed     62.0 s" in lines
    assert lines[-2] == f"failed    Trainer: {cloud.logs['77'][2]}".replace("\x1b", "")
    assert lines[-1].startswith(f"log       {LOG}")


# What TFX's executor, and ours, say of a training in the log of the stage that started it.
UNSUCCESSFUL = "RuntimeError: Job 'projects/123456/locations/us-central1/customJobs/78' did not succeed.  Detailed"


def test_a_failed_training_is_told_with_the_exception_in_its_own_log(cloud: GoogleCloud, vertex: Vertex) -> None:
    """As the service has it: the stage's log says that the job did not succeed, and the job's log why."""
    cloud.logs["77"] = ["Traceback (most recent call last):", UNSUCCESSFUL]
    cloud.logs["78"] = ["Traceback (most recent call last):", "components.errors.UserError: trainer.epochs: too many"]
    cloud.train("mine", "76", "FAILED")  # an earlier attempt
    cloud.train("mine", "78", "FAILED", "The replica workerpool0-0 exited with a non-zero status of 1.")
    cloud.train("another", "79", "FAILED")
    cloud.frames = [{"Trainer": failed("exited with status 1"), "job": "FAILED"}]
    answer = vertex("submit", "--job-id", "mine")
    assert answer.code == 1
    assert tail(answer)[-2] == "failed    Trainer: components.errors.UserError: trainer.epochs: too many"
    assert tail(answer)[-1].startswith(f"log       {LOG.replace('77', '78')}")


def test_of_several_machines_the_one_that_failed_first_is_told(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.train("mine", "78", "FAILED")
    cloud.logs["78"] = [
        ("workerpool1-0", "ValueError: while handling it"),
        ("workerpool1-0", "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM"),
        ("workerpool0-0", "tensorflow.python.framework.errors_impl.UnavailableError: a peer is gone"),
    ]
    cloud.frames = [{"Trainer": failed("exited with status 1"), "job": "FAILED"}]
    line = "failed    Trainer: tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM"
    assert tail(vertex("submit", "--job-id", "mine"))[-2] == line


def test_a_training_that_may_not_be_listed_is_found_by_the_log_of_its_stage(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [Fault("GET .*/customJobs", Refused(403, "no"), times=9)]
    cloud.logs["77"] = [UNSUCCESSFUL]
    cloud.logs["78"] = ["ValueError: in the training"]
    cloud.frames = [{"Trainer": failed("exited with status 1"), "job": "FAILED"}]
    lines = tail(vertex("submit"))
    assert lines[-3] == "failed    Trainer: ValueError: in the training"
    assert lines[-2].startswith(f"log       {LOG.replace('77', '78')}")
    assert lines[-1] == "note      could not look whether custom jobs of it still run (403 no)"


def test_a_training_without_an_exception_is_told_with_what_vertex_ai_says_of_it(
    cloud: GoogleCloud, vertex: Vertex
) -> None:
    cloud.train("mine", "78", "FAILED", "The replica workerpool0-0 ran out-of-memory\nand exited with 137.")
    cloud.logs["77"] = [UNSUCCESSFUL]
    cloud.frames = [{"Trainer": failed("exited with status 1"), "job": "FAILED"}]
    lines = tail(vertex("submit", "--job-id", "mine"))
    assert lines[-2] == "failed    Trainer: The replica workerpool0-0 ran out-of-memory and exited with 137."
    assert lines[-1].startswith(f"log       {LOG.replace('77', '78')}")


def test_a_training_that_runs_on_after_its_run_is_told(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.train("mine", "78")
    cloud.frames = [{"Trainer": "CANCELLED", "job": "CANCELLED"}]
    assert tail(vertex("submit", "--job-id", "mine"))[-2:] == [
        "cancelled; nothing was pushed after that",
        "running   custom job 78 (cifar10-trainer), which is billed; stop it: image-pipeline vertex cancel "
        "projects/123456/locations/us-central1/pipelineJobs/mine",
    ]


def test_without_the_log_the_reason_is_what_vertex_ai_knows(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [Fault("entries:list", Refused(403, "no"), times=9)]
    cloud.frames = [
        {"Trainer": failed("The replica workerpool0-0 exited\nwith a non-zero status of 1."), "job": "FAILED"}
    ]
    answer = vertex("submit")
    assert answer.code == 1
    assert tail(answer)[-2] == "failed    Trainer: The replica workerpool0-0 exited with a non-zero status of 1."


def test_a_gate_that_refuses_the_data_is_exit_code_3(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.logs["77"] = ["Traceback (most recent call last):\n  …", "components.errors.GateRefused: 12 leaks", "  a.png"]
    cloud.frames = [{"DataGate": failed("exited with status 1"), "job": "FAILED"}]
    answer = vertex("submit")
    assert answer.code == 3
    assert tail(answer)[-2] == "refused   DataGate: components.errors.GateRefused: 12 leaks"


def test_a_model_that_is_not_blessed_is_exit_code_3(cloud: GoogleCloud, vertex: Vertex) -> None:
    report = "SUCCEEDED", {"outputs": {"report": {"artifacts": [{"uri": "gs://b/artifacts/1/job/Report_2/report"}]}}}
    judged = {"Evaluator": blessing(0), "ServingCheck": blessing(1), "Report": report}
    cloud.frames = [{**judged, "Pusher": "SUCCEEDED", "job": "SUCCEEDED"}]
    answer = vertex("submit")
    assert (answer.code, tail(answer)[-2:]) == (
        3,
        [
            "report    gcloud storage cp gs://b/artifacts/1/job/Report_2/report/report.html .",
            "refused   by Evaluator: nothing was pushed",
        ],
    )


def test_a_job_that_fails_before_its_stages_says_why(cloud: GoogleCloud, vertex: Vertex) -> None:
    assert vertex("submit", "--no-wait", "--job-id", "mine").code == 0
    cloud.jobs["mine"].error.message = "Service account x\nlacks access"
    cloud.frames = [{"job": "FAILED"}]
    answer = vertex("status", "mine")
    assert (answer.code, tail(answer)) == (1, ["failed    Service account x lacks access"])


def test_a_cancelled_job_is_told(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.frames = [{"Trainer": "RUNNING", "job": "RUNNING"}, {"Trainer": "CANCELLED", "job": "CANCELLED"}]
    answer = vertex("submit")
    assert answer.code == 1
    assert tail(answer)[1:] == ["  Trainer           interrupted   62.0 s", "cancelled; nothing was pushed after that"]


def test_a_network_that_comes_back_is_waited_for(cloud: GoogleCloud, vertex: Vertex) -> None:
    looks = "^GET .*/pipelineJobs/"
    cloud.faults = [Fault(looks, "lose"), Fault(looks, "drop"), Fault(looks, Refused(503, "away"), times=2)]
    cloud.frames = [{"ExampleGen": "RUNNING"}, {"ExampleGen": "SUCCEEDED", "job": "SUCCEEDED"}]
    answer = vertex("submit")
    assert answer.code == 0
    assert tail(answer)[-1] == "succeeded"
    assert sum("; retrying" in line for line in tail(answer)) == 4
    assert len(cloud.jobs) == 1


def test_a_network_that_stays_away_ends_the_look_and_not_the_job(
    cloud: GoogleCloud, vertex: Vertex, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vertex("submit", "--no-wait", "--job-id", "mine").code == 0

    def away(looks: int) -> None:
        monkeypatch.setattr("pipeline.platforms.vertex.cloud.RETRY_DEADLINE", 0.3)
        cloud.faults = [Fault("pipelineJobs", "drop", times=10**6)]

    cloud.on_look = away
    answer = vertex("status", "mine")
    assert answer.code == 1
    name = "projects/123456/locations/us-central1/pipelineJobs/mine"
    assert answer.err.startswith("error: lost sight of the job (the connection to 127.0.0.1")
    assert f"image-pipeline vertex status {name}" in answer.err
    assert not cloud.count(":cancel")


def test_the_latest_job_is_found(cloud: GoogleCloud, vertex: Vertex) -> None:
    answer = vertex("status")
    assert answer.code == 2
    assert answer.err == "error: my-project has no job of the pipeline 'cifar10' in us-central1\n"
    for name in ("first", "second"):
        assert vertex("submit", "--no-wait", "--job-id", name).code == 0
    cloud.frames = [{"ExampleGen": "RUNNING"}]
    answer = vertex("status", "--no-wait")
    assert answer.code == 0
    assert answer.out.splitlines()[0] == "job       second"
    assert "  ExampleGen        running" in answer.out.splitlines()


def test_a_whole_resource_name_needs_no_configuration(cloud: GoogleCloud, vertex: Vertex) -> None:
    from pipeline.cli import main

    assert vertex("submit", "--no-wait", "--job-id", "mine").code == 0
    cloud.frames = [{"job": "SUCCEEDED"}]
    assert main(["vertex", "status", "projects/123456/locations/us-central1/pipelineJobs/mine"]) == 0
    assert main(["vertex", "cancel", "projects/123456/locations/us-central1/pipelineJobs/none"]) == 2


def test_a_message_without_end_is_cut_and_cannot_write_to_the_terminal(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.logs["77"] = ["ValueError: \x1b[2J" + "label " * 10_000]
    cloud.frames = [{"Trainer": failed("exited with status 1"), "job": "FAILED"}]
    line = tail(vertex("submit", "--job-id", "mine"))[-2]
    assert line.startswith("failed    Trainer: ValueError: [2Jlabel label")
    assert len(line) < 1100
    cloud.jobs["mine"].error.message = "\x1b]0;owned\x07" + "x" * 10_000
    cloud.frames = [{"Trainer": "SUCCEEDED", "job": "FAILED"}]
    line = tail(vertex("status", "mine"))[-1]
    assert line.startswith("failed    ]0;ownedxxx")
    assert len(line) < 1100


def test_an_answer_that_is_not_of_google_is_no_traceback(cloud: GoogleCloud, vertex: Vertex) -> None:
    assert vertex("submit", "--no-wait", "--job-id", "mine").code == 0
    cloud.faults = [Fault("pipelineJobs", "proxy", times=99)]
    for words in (("status", "mine"), ("cancel", "mine"), ("cancel",), ("submit", "--no-wait")):
        answer = vertex(*words)
        assert (answer.code, answer.err.count("\n")) == (1, 1), words
        assert "an answer that is not one of Google Cloud's; is there a proxy between?" in answer.err
    cloud.faults = [Fault("testIamPermissions", "proxy", times=99)]
    answer = vertex("submit", "--no-wait")
    assert (answer.code, "an answer that is not one of Google Cloud's" in answer.err) == (1, True)


@pytest.mark.parametrize(
    ("code", "exit_code", "says"),
    [
        (401, 1, "401 no; log in again: gcloud auth application-default login"),
        (403, 2, "403 no"),
        (429, 1, "429 no"),
    ],
)
def test_a_look_that_is_refused_is_one_line(
    cloud: GoogleCloud, vertex: Vertex, code: int, exit_code: int, says: str
) -> None:
    cloud.faults = [Fault("pipelineJobs", Refused(code, "no"), times=99)]
    for words in (("status", "mine"), ("cancel", "mine"), ("cancel",), ("status",)):
        answer = vertex(*words)
        assert (answer.code, answer.err.count("\n")) == (exit_code, 1), words
        assert answer.err.endswith(f"{says}\n")


def test_a_job_that_is_none_is_told(cloud: GoogleCloud, vertex: Vertex) -> None:
    for command in ("status", "cancel"):
        answer = vertex(command, "none")
        assert (answer.code, answer.err) == (2, "error: my-project has no job none in us-central1\n")


@pytest.mark.slow
def test_ctrl_c_leaves_the_job_and_says_how_to_come_back(cloud: GoogleCloud, vertex: Vertex) -> None:
    assert vertex("submit", "--no-wait", "--job-id", "mine").code == 0
    cloud.frames = [{"Trainer": "RUNNING", "job": "RUNNING"}]
    looked = threading.Event()
    cloud.on_look = lambda looks: looked.set()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "vertex", "status", "mine", "--set", f"vertex.project={PROJECT}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
        # A shell that runs tests in the background makes them deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(3)]  # up to the stage that runs: it is following
    assert looked.is_set()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert lines[2] == "  Trainer           running\n"
    assert "the job keeps running; see it:  image-pipeline vertex status projects/123456/" in out
    assert err == "interrupted\n"
    assert "not run" not in out
    assert re.search("stop it: image-pipeline vertex cancel", out)
    assert not cloud.count(":cancel")
