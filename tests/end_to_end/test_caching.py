"""Caching that can be trusted: what changed runs again, with what depends on it, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from pipeline import ROOT, STAGES, fingerprint
from pipeline.tracking import metadata
from tests.datasets import digit_images, write_folder
from tests.runs import RESOLVERS, executed, run, store_of

pytestmark = pytest.mark.slow

EVERY = [stage for stage in STAGES if stage not in RESOLVERS]
FROM_TRAINER = ["Trainer", "Evaluator", "ServingCheck", "Pusher"]


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, run once: `pictures` and `runs` side by side, and `kept`, a copy of `runs`."""
    folder = tmp_path_factory.mktemp("caching")
    write_folder(folder / "pictures")
    first = run(folder / "runs", folder / "pictures")
    assert (first.exit_code, executed(first)) == (0, EVERY), first.why
    shutil.copytree(folder / "runs", folder / "kept")
    return folder


@pytest.fixture
def base(first_run: Path) -> Path:
    """As after the first run, whatever other tests have run since: another model would be another baseline."""
    shutil.rmtree(first_run / "runs")
    shutil.copytree(first_run / "kept", first_run / "runs")
    return first_run


def counts(run_dir: Path) -> tuple[int, int]:
    """(executions that ran to their end, artifacts) in ML Metadata; resolvers and the report of each run left out."""
    store = store_of(run_dir)
    complete = [e.type for e in store.get_executions() if e.last_known_state == metadata.Execution.COMPLETE]
    stages = [kind for kind in complete if kind != "Report" and "resolver" not in kind.lower()]
    return len(stages), len([artifact for artifact in store.get_artifacts() if artifact.type != "Report"])


def test_an_identical_run_executes_nothing_and_makes_no_artifact(base: Path) -> None:
    before = counts(base / "runs")
    again = run(base / "runs", base / "pictures")
    assert executed(again) == []
    assert [stage for stage in EVERY if again.stages[stage]["state"] != "cached"] == []
    assert counts(base / "runs") == before
    assert again.exit_code == 0


def test_a_touch_executes_nothing(base: Path) -> None:
    for file in (base / "pictures").rglob("*.png"):
        file.touch()
    assert executed(run(base / "runs", base / "pictures")) == []


@pytest.mark.parametrize(
    ("setting", "stages"),
    [
        ("gate.anomalies=warn", ["DataGate"]),
        ("gate.duplicates=off", EVERY),
        ("transform.size=20", ["Transform", *FROM_TRAINER]),
        ("trainer.epochs=7", FROM_TRAINER),
        ("seed=1", FROM_TRAINER),
        ("evaluator.min_accuracy=0.4", ["Evaluator", "ServingCheck", "Pusher"]),
        ("evaluator.confidence=0.9", ["Evaluator", "ServingCheck", "Pusher"]),
    ],
)
def test_a_change_of_config_runs_its_stage_and_what_depends_on_it(base: Path, setting: str, stages: list[str]) -> None:
    assert executed(run(base / "runs", base / "pictures", setting)) == stages


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("example_gen/executor.py", EVERY),
        ("statistics_gen/component.py", EVERY[1:]),
        ("data_gate/__init__.py", ["DataGate"]),
        ("transform/preprocessing.py", ["Transform", *FROM_TRAINER]),
        ("trainer/model.py", FROM_TRAINER),
        ("evaluator/eval_config.py", ["Evaluator", "ServingCheck", "Pusher"]),
        ("serving_check/client.py", ["ServingCheck", "Pusher"]),
        ("pusher/executor.py", ["Pusher"]),
        ("imports.py", ["ServingCheck", "Pusher"]),
        ("text.py", []),
        ("report/page.py", []),
    ],
)
def test_a_change_of_code_runs_its_stage_and_what_depends_on_it(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, stages: list[str]
) -> None:
    """The fingerprint is taken of an edited copy of components/; what runs is the code as it stands."""
    copy = tmp_path / "components"
    shutil.copytree(ROOT / "components", copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / file).open("a") as source:
        source.write("# edited\n")
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    assert executed(run(base / "runs", base / "pictures")) == stages


def test_a_curated_schema_that_is_edited_is_read_again(base: Path, tmp_path: Path) -> None:
    schema = next((base / "runs").rglob("schema.pbtxt"))
    mine = tmp_path / "schema.pbtxt"
    shutil.copy(schema, mine)
    once = run(base / "runs", base / "pictures", f"schema_file={mine}")
    assert "SchemaGen" in executed(once)
    mine.write_text(mine.read_text() + "# edited\n")
    again = run(base / "runs", base / "pictures", f"schema_file={mine}", last="SchemaGen")
    assert executed(again) == ["SchemaGen"]


def test_an_edited_file_of_the_same_size_runs_everything(tmp_path: Path) -> None:
    pictures = write_folder(tmp_path / "pictures", train=20, test=10)
    file = pictures / "train" / "zero" / "edited.bmp"  # a format without compression: as large, whatever it shows
    Image.fromarray(digit_images()[0][0]).save(file)
    stages = ["ExampleGen", "StatisticsGen"]
    assert executed(run(tmp_path / "runs", pictures, last="StatisticsGen")) == stages
    size = file.stat().st_size
    Image.fromarray(255 - digit_images()[0][0]).save(file)
    assert file.stat().st_size == size
    assert executed(run(tmp_path / "runs", pictures, last="StatisticsGen")) == stages
