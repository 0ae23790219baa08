"""The stage as the pipeline runs it, on evaluations by TFX's own Evaluator."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts import features as f
from tests.evaluator.factories import digit_rows, evaluate, write_rows
from tests.evaluator.fakes import digit_centroids, save_standin
from tests.factories import examples_artifact, model_artifact

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_standin(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("data"), digit_rows(), gzip=False)


@pytest.fixture(scope="module")
def evaluation(model: str, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    centroids = digit_centroids()[::-1]  # a baseline, so that the artifact holds two models
    baseline = save_standin(tmp_path_factory.mktemp("baseline"), centroids=centroids)
    return evaluate(tmp_path_factory.mktemp("evaluation"), examples, model, baseline)[0]


def check(out: Path, examples: Path, model: str, evaluation: str, timeout: int = 600) -> tuple[Any, dict[str, Any]]:
    """(the InfraBlessing, the report in it)."""
    from tfx.types import standard_artifacts

    from components.contracts.serving import REPORT_FILE
    from components.serving_check.executor import Executor

    of_candidate, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.InfraBlessing()
    predictions = standard_artifacts.InferenceResult()
    of_candidate.uri, blessing.uri = evaluation, str(out / "blessing")
    predictions.uri = str(out / "predictions")
    inputs = {
        "examples": [examples_artifact(examples, [f.TEST])],
        "model": [model_artifact(model)],
        "evaluation": [of_candidate],
    }
    outputs = {"blessing": [blessing], "predictions": [predictions]}
    Executor().Do(inputs, outputs, {"timeout_seconds": timeout, "code_fingerprint": "0"})
    return blessing, json.loads((out / "blessing" / REPORT_FILE).read_text())


def test_a_model_that_serves_as_it_was_evaluated_is_blessed(
    model: str, examples: Path, evaluation: str, tmp_path: Path
) -> None:
    from tfx.components.util.model_utils import is_infra_validated

    blessing, report = check(tmp_path, examples, model, evaluation)
    assert is_infra_validated(blessing)
    assert (tmp_path / "blessing" / "INFRA_BLESSED").exists()
    assert (report["blessed"], report["reasons"], report["pictures"]) == (True, [], len(digit_rows()))
    assert (tmp_path / "predictions" / "predictions-00000.npz").exists()


def test_a_model_that_answers_otherwise_than_evaluated_is_refused(
    examples: Path, evaluation: str, tmp_path: Path
) -> None:
    from tfx.components.util.model_utils import is_infra_validated

    centroids = digit_centroids()
    centroids[[3, 8]] = centroids[[8, 3]]
    other = save_standin(tmp_path / "model", centroids=centroids)
    blessing, report = check(tmp_path, examples, other, evaluation)
    assert not is_infra_validated(blessing)
    assert (tmp_path / "blessing" / "INFRA_NOT_BLESSED").exists()
    (reason,) = report["reasons"]
    assert "images are in another class when served than when evaluated" in reason


def test_a_model_that_is_not_there_is_refused_and_nothing_raised(
    examples: Path, evaluation: str, tmp_path: Path
) -> None:
    _, report = check(tmp_path, examples, str(tmp_path / "nothing"), evaluation)
    (reason,) = report["reasons"]
    assert reason.startswith("the model does not load: ")


def test_a_model_that_takes_too_long_is_refused(model: str, examples: Path, evaluation: str, tmp_path: Path) -> None:
    _, report = check(tmp_path, examples, model, evaluation, timeout=1)
    assert report["reasons"] == ["the model did not answer all images within 1 s"]


def test_a_client_that_crashes_is_a_refusal(model: str, tmp_path: Path) -> None:
    from components.serving_check import client, executor

    nowhere = client.Request(str(Path(model) / "Format-Serving"), [], str(tmp_path / "missing" / "folder"))
    (problem,) = executor._run_client(nowhere, 600).problems
    assert problem.startswith("the client of the model ended with exit code 1: ")
    assert "\n" not in problem


def test_the_component_has_what_the_pipeline_connects() -> None:
    from tfx.types import Channel, standard_artifacts

    from components.serving_check.component import ServingCheck

    node = ServingCheck(
        examples=Channel(type=standard_artifacts.Examples),
        model=Channel(type=standard_artifacts.Model),
        evaluation=Channel(type=standard_artifacts.ModelEvaluation),
    )
    assert node.id == "ServingCheck"
    assert node.outputs["blessing"].type is standard_artifacts.InfraBlessing
    assert node.outputs["predictions"].type is standard_artifacts.InferenceResult


@given(
    cells=st.dictionaries(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), st.integers(1, 50), min_size=1),
    moved=st.integers(1, 50),
    ties=st.integers(0, 50),
)
def test_ties_explain_as_many_moved_images_and_no_more(
    cells: dict[tuple[str, str], int], moved: int, ties: int
) -> None:
    from components.serving_check import client, executor

    evaluated, served = Counter(cells), Counter(cells)
    origin = min(cells)
    moved = min(moved, cells[origin])
    target = (origin[0], "another")
    served[origin] -= moved
    served[target] += moved
    pairs: dict[str, dict[str, int]] = {}
    for (name, predicted), count in served.items():
        pairs.setdefault(name, {})[predicted] = count
    answers = client.ClientReport(pictures=served.total(), ties=ties, pairs=pairs)
    assert bool(executor._differences(answers, evaluated)) == (moved > ties)
    fewer = Counter(cells)
    fewer[origin] += 1
    assert "evaluated" in executor._differences(answers, fewer)[0]
