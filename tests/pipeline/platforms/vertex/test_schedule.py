"""`vertex schedule` against the stand-in: one schedule a pipeline, made once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.pipeline.platforms.vertex.conftest import Answer
from tests.pipeline.platforms.vertex.fakes import Fault, GoogleCloud, Refused

Vertex = Callable[..., Answer]
CREATE = r"^POST .*/schedules$"
CRON = ("--cron", "TZ=Europe/Paris 0 3 * * 1")


def test_a_schedule_holds_the_whole_job(cloud: GoogleCloud, vertex: Vertex) -> None:
    answer = vertex("schedule", *CRON, "--param", "epochs=3", "--set", "vertex.network=projects/1/global/networks/n")
    assert answer.code == 0, answer.err
    [schedule] = cloud.schedules.values()
    job = schedule.create_pipeline_job_request.pipeline_job
    assert (schedule.display_name, schedule.cron, schedule.max_concurrent_run_count) == ("cifar10", CRON[1], 1)
    assert dict(job.runtime_config.parameter_values)["epochs"] == 3
    assert job.network == "projects/1/global/networks/n"
    assert answer.out.splitlines() == [
        f"schedule  {CRON[1]}",
        "console   https://console.cloud.google.com/vertex-ai/locations/us-central1/pipelines/schedules/1?project=123456",
    ]


@pytest.mark.slow
def test_the_same_schedule_is_made_once_and_another_refused(cloud: GoogleCloud, vertex: Vertex) -> None:
    assert vertex("schedule", *CRON).code == 0
    answer = vertex("schedule", *CRON)
    assert (answer.code, answer.out.splitlines()[0]) == (0, "it exists already")
    answer = vertex("schedule", "--cron", "0 4 * * *")
    assert answer.code == 2
    assert answer.err.startswith("error: the pipeline has another schedule already, 'TZ=Europe/Paris 0 3 * * 1'")
    assert vertex("schedule", "--delete").code == 0
    assert not cloud.schedules
    assert vertex("schedule", "--cron", "0 4 * * *").code == 0
    assert len(cloud.schedules) == 1


def test_a_lost_answer_makes_no_second_schedule(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [Fault(CREATE, "lose")]
    answer = vertex("schedule", *CRON)
    assert answer.code == 0, answer.err
    assert "the answer was lost, and the schedule exists" in answer.out
    assert (cloud.count(CREATE), len(cloud.schedules)) == (1, 1)


def test_a_schedule_that_may_have_been_made_is_not_sent_again(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [Fault(CREATE, "drop")]
    answer = vertex("schedule", *CRON)
    assert answer.code == 1
    assert answer.err.endswith("the same command looks for it first\n")
    assert cloud.count(CREATE) == 1
    assert vertex("schedule", *CRON).code == 0
    assert len(cloud.schedules) == 1


def test_a_refusal_is_one_line(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [Fault(CREATE, Refused(400, "cron is too frequent"))]
    answer = vertex("schedule", *CRON)
    assert (answer.code, answer.err) == (2, "error: Vertex AI refuses the schedule: 400 cron is too frequent\n")


def test_deleting_none_is_told(cloud: GoogleCloud, vertex: Vertex) -> None:
    answer = vertex("schedule", "--delete")
    assert (answer.code, answer.out) == (0, "the pipeline 'cifar10' has no schedule in us-central1\n")


@pytest.mark.parametrize("cron", ["0 3 * *", "0 3 * * 1 1", "", "0 3 ; * 1", "TZ=Mars/Base 0 3 * * 1"])
def test_a_cron_expression_that_is_none_is_refused(cron: str, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["vertex", "schedule", "--cron", cron])
    assert ended.value.code == 2
    assert "error: --cron: " in capsys.readouterr().err
