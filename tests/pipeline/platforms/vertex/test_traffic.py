"""`vertex endpoint`, `promote` and `rollback`: Google's client against a stand-in of the API on loopback."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.platforms.vertex import cloud as clouds
from tests.pipeline.platforms.vertex.conftest import Answer
from tests.pipeline.platforms.vertex.fakes import NUMBER, REGION, Fault, Refused
from tests.pipeline.platforms.vertex.serving_fakes import VertexServing

pytestmark = pytest.mark.slow

Vertex = Callable[..., Answer]
Deploy = Callable[..., None]

CONSOLE = f"{clouds.CONSOLE}/vertex-ai/online-prediction/locations/{REGION}/endpoints/1?project={NUMBER}"


@pytest.fixture
def standin() -> VertexServing:
    return VertexServing()


def lines(answer: Answer) -> list[str]:
    return [line for line in answer.out.splitlines() if not line.startswith("   ")]


def test_a_candidate_is_looked_at_and_promoted(cloud: VertexServing, vertex: Vertex, deploy: Deploy) -> None:
    deploy()
    deploy(10)
    before = ["  version 2  10 %  candidate", "  version 1  90 %  champion, default"]
    shown = vertex("endpoint")
    assert (shown.code, lines(shown)) == (0, [f"endpoint  {CONSOLE}", *before])
    answer = vertex("promote")
    assert (answer.code, answer.err) == (0, "")
    assert lines(answer) == [
        f"before    {CONSOLE}",
        *before,
        f"after     {CONSOLE}",
        "  version 2         100 %  champion, default",
        "  version 1  not deployed  previous",
    ]
    assert cloud.splits[1:] == [{"1": 90, "2": 10}, {"1": 0, "2": 100}]
    again = vertex("promote")
    assert (again.code, again.err) == (2, "error: cifar10 has no candidate to promote: version 2 serves\n")


def test_a_promotion_is_rolled_back_from_the_registry(cloud: VertexServing, vertex: Vertex, deploy: Deploy) -> None:
    deploy()
    deploy(10)
    vertex("promote")
    answer = vertex("rollback")
    assert (answer.code, answer.err) == (0, "")
    assert "deploying version 1, which takes minutes" in answer.out
    assert cloud.serves() == {"1": 100}
    assert cloud.aliases() == {"1": {"champion", "default"}}
    assert vertex("rollback").err == (
        "error: cifar10 has no candidate and no previous champion to roll back to: version 1 serves; name a version: "
        "image-pipeline vertex rollback VERSION\n"
    )
    assert cloud.serves() == {"1": 100}


def test_a_champion_that_was_kept_is_back_at_once(cloud: VertexServing, vertex: Vertex, deploy: Deploy) -> None:
    deploy()
    deploy(10)
    assert vertex("promote", "--keep").code == 0
    assert cloud.serves() == {"1": 0, "2": 100}
    assert vertex("promote", "--keep").code == 2
    assert vertex("rollback").code == 0
    assert len(cloud.deployments) == 2
    assert cloud.serves() == {"1": 100}
    assert cloud.aliases() == {"1": {"champion", "default"}}


def test_a_champion_that_was_kept_is_undeployed_later(cloud: VertexServing, vertex: Vertex, deploy: Deploy) -> None:
    deploy()
    deploy(10)
    vertex("promote", "--keep")
    assert vertex("promote").code == 0
    assert cloud.serves() == {"2": 100}
    assert cloud.aliases() == {"1": {"previous"}, "2": {"champion", "default"}}


def test_a_candidate_is_dropped(cloud: VertexServing, vertex: Vertex, deploy: Deploy) -> None:
    deploy()
    deploy()
    deploy(30)
    assert vertex("rollback").code == 0
    assert cloud.serves() == {"2": 100}
    assert cloud.aliases() == {"2": {"champion", "default"}}
    assert vertex("rollback").code == 2  # and not version 1: the command may have been repeated in doubt
    assert vertex("rollback", "1").code == 0
    assert vertex("rollback", "1").code == 0
    assert cloud.serves() == {"1": 100}
    assert cloud.aliases() == {"1": {"champion", "default"}}


def test_what_makes_no_sense_is_refused(cloud: VertexServing, vertex: Vertex, deploy: Deploy) -> None:
    hint = "deploy one: run the pipeline with vertex.deploy.to=endpoint"
    for words in (("promote",), ("rollback",), ("rollback", "1")):
        assert vertex(*words).err == f"error: cifar10 has no endpoint in us-central1; {hint}\n"
    assert vertex("endpoint").out == "endpoint  cifar10 has no endpoint in us-central1\n"
    deploy()
    assert "cifar10 has no candidate to promote: version 1 serves" in vertex("promote").err
    assert "no previous champion to roll back to" in vertex("rollback").err
    assert vertex("rollback", "7").err == "error: cifar10 has no version '7' in the Model Registry; it has 1\n"
    assert cloud.serves() == {"1": 100}


@pytest.mark.parametrize("words", [("promote",), ("promote", "--keep"), ("rollback",), ("rollback", "1")])
def test_a_command_that_was_stopped_is_given_again(
    cloud: VertexServing, vertex: Vertex, deploy: Deploy, words: tuple[str, ...]
) -> None:
    """After each change, and with the answer to each change lost."""
    for changes in range(20):
        cloud.forget()
        deploy()
        deploy()
        deploy(10)
        cloud.changes_left = changes
        stopped = vertex(*words)
        left, cloud.changes_left = cloud.changes_left, None
        if stopped.code:
            assert stopped.code == 1
            assert "403 Permission denied; the same command, given again, does what is missing" in stopped.err
            assert vertex(*words).code == 0
        expected = {"promote": {"3": 100}, "rollback": {words[-1] if words[-1] == "1" else "2": 100}}[words[0]]
        assert cloud.serves() == expected | ({"2": 0} if "--keep" in words else {})
        assert all(sum(split.values()) == 100 for split in cloud.splits)
        if left:
            break
    assert changes > 1


@pytest.mark.parametrize("lost", ["PATCH", ":deployModel", ":undeployModel", "mergeVersionAliases"])
def test_a_lost_answer_changes_nothing(cloud: VertexServing, vertex: Vertex, deploy: Deploy, lost: str) -> None:
    deploy()
    deploy(10)
    cloud.slowness = 2
    for words, expected in ((("promote",), {"2": 100}), (("rollback",), {"1": 100})):
        cloud.faults = [Fault(lost, "lose")]
        answer = vertex(*words)
        assert (answer.code, answer.err) == (0, "")
        assert cloud.serves() == expected
    assert len(cloud.deployments) == 3


def test_what_a_deployment_fails_with_is_told(cloud: VertexServing, vertex: Vertex, deploy: Deploy) -> None:
    deploy()
    deploy(10)
    vertex("promote")
    cloud.faults = [Fault(":deployModel", Refused(429, "Quota exceeded for custom_model_serving_cpus"))]
    answer = vertex("rollback")
    assert (answer.code, answer.err) == (
        1,
        "error: the endpoint of cifar10: 429 Quota exceeded for custom_model_serving_cpus; the same command, given "
        "again, does what is missing\n",
    )
    assert cloud.serves() == {"2": 100}
