"""`vertex.experiment`: the run is in it, once, whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.cloud.aiplatform_v1.types import Context

from pipeline.platforms.vertex import experiments
from tests.pipeline.platforms.vertex.conftest import Answer
from tests.pipeline.platforms.vertex.fakes import NUMBER, REGION, Fault, GoogleCloud, Refused

pytestmark = pytest.mark.slow  # compiles

Vertex = Callable[..., Answer]
STORE = f"projects/{NUMBER}/locations/{REGION}/metadataStores/default/contexts"
SUBMIT = ("submit", "--no-wait", "--job-id", "mine", "--set", "vertex.experiment=flowers")
CONSOLE = "https://console.cloud.google.com/vertex-ai/experiments/locations/us-central1/experiments/flowers"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "PACE", 0.01)


def test_a_run_is_added_to_an_experiment_that_is_made_for_it(cloud: GoogleCloud, vertex: Vertex) -> None:
    answer = vertex(*SUBMIT)
    assert (answer.code, answer.err) == (0, "")
    assert f"experiment {CONSOLE}?project=my-project\n" in answer.out
    made = cloud.contexts["flowers"]
    assert (made.display_name, made.schema_title, made.schema_version) == ("flowers", "system.Experiment", "0.0.1")
    assert dict(made.metadata) == {"experiment_deleted": False}
    assert cloud.children == {"flowers": {f"{STORE}/mine"}}
    assert vertex(*SUBMIT).code == 0  # the same job, which is in it already
    assert cloud.children == {"flowers": {f"{STORE}/mine"}}
    assert len(cloud.jobs) == 1


@pytest.mark.parametrize("lost", ["contexts$", "addContextChildren"])
def test_lost_answers(cloud: GoogleCloud, vertex: Vertex, lost: str) -> None:
    cloud.faults = [Fault(f"POST .*{lost}", "lose")]
    assert vertex(*SUBMIT).code == 0
    assert cloud.count(f"POST .*{lost}") == 2
    assert cloud.children == {"flowers": {f"{STORE}/mine"}}


def test_a_run_that_cannot_be_added_still_runs(cloud: GoogleCloud, vertex: Vertex) -> None:
    cloud.faults = [Fault("addContextChildren", Refused(403, "denied"), times=9)]
    answer = vertex(*SUBMIT)
    assert (answer.code, len(cloud.jobs)) == (0, 1)
    note = (
        "note      the run is not in the experiment flowers (403 denied): the same command with --job-id mine adds it"
    )
    assert note in answer.out.splitlines()


def test_a_run_that_does_not_begin(cloud: GoogleCloud, vertex: Vertex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "PATIENCE", 0.0)
    answer = vertex(*SUBMIT)
    assert answer.code == 0
    assert "Vertex AI has not begun with it within 0 s): the same command with --job-id mine adds it" in answer.out


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (Context(schema_title="system.PipelineRun"), "no experiment, but of the type system.PipelineRun; give another"),
        (
            Context(schema_title="system.Experiment", metadata={"tensorboard_link": "https://…"}),
            "'flowers' is the experiment of a TensorBoard; give another name: --set vertex.experiment=NAME",
        ),
    ],
    ids=["run", "tensorboard"],
)
def test_what_is_no_experiment_is_refused(cloud: GoogleCloud, vertex: Vertex, context: Context, message: str) -> None:
    cloud.contexts["flowers"] = context
    answer = vertex(*SUBMIT)
    assert answer.code == 2
    assert message in answer.err
    assert not cloud.jobs


def test_a_schedule_says_that_its_runs_are_in_none(cloud: GoogleCloud, vertex: Vertex) -> None:
    answer = vertex("schedule", "--cron", "0 3 * * 1", "--set", "vertex.experiment=flowers")
    assert answer.code == 0
    assert "note      vertex.experiment is for `submit`" in answer.out
