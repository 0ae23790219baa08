"""What the gates stop: a model that is not good enough, and each kind of data that cannot be trusted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.contracts.run_result import ExitCode
from pipeline.cli import main
from tests.datasets import NAMES, write_folder
from tests.example_gen.datasets import read
from tests.runs import LENIENT, artifact, copied, executed, run, screen_of

pytestmark = pytest.mark.slow


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "pictures", train=20, test=10)


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pictures`, and with `runs`, in which the stages up to Transform have run."""
    folder = tmp_path_factory.mktemp("transformed")
    write_folder(folder / "pictures", train=20, test=10)
    assert run(folder / "runs", folder / "pictures", last="Transform").exit_code == 0
    return folder


def test_a_refused_model_is_not_pushed_and_the_screen_says_why(transformed: Path, tmp_path: Path) -> None:
    pictures = transformed / "pictures"
    copied(transformed / "runs", tmp_path / "runs")
    result, screen = screen_of(tmp_path / "runs", pictures, "evaluator.min_accuracy=1", "trainer.epochs=1")
    assert result.exit_code == ExitCode.REFUSED
    assert result.blessed is False
    assert result.pushed is None
    assert not (tmp_path / "runs" / "serving").exists()
    assert any("accuracy" in line and "1.0" in line for line in result.why), result.why
    for line in result.why:
        assert line in screen
    assert "refused   nothing was pushed" in screen
    again = run(tmp_path / "runs", pictures, "evaluator.min_accuracy=1", "trainer.epochs=1")
    assert executed(again) == []
    assert (again.exit_code, again.why) == (ExitCode.REFUSED, result.why)


def test_two_runs_the_second_against_the_first_as_baseline(transformed: Path, tmp_path: Path) -> None:
    """A better model takes over; a worse one is refused by name of the metric, and what is served stays."""
    pictures = transformed / "pictures"
    copied(transformed / "runs", tmp_path / "runs")
    good = ("evaluator.min_accuracy=0.3", "evaluator.min_class_recall=0")
    first = run(tmp_path / "runs", pictures, *good, "trainer.epochs=8")
    assert first.exit_code == 0, first.why
    worse = run(tmp_path / "runs", pictures, *LENIENT, "trainer.learning_rate=1e-9")
    assert worse.exit_code == ExitCode.REFUSED
    assert any("baseline" in line for line in worse.why), worse.why
    second = run(tmp_path / "runs", pictures, *good, "trainer.epochs=8", "seed=5", "evaluator.max_drop=1")
    assert second.exit_code == 0, second.why
    assert second.pushed is not None
    assert second.pushed["version"] == "2"
    assert sorted(p.name for p in (tmp_path / "runs" / "serving" / "pictures").iterdir()) == ["1", "2"]


def leak(pictures: Path) -> None:
    shutil.copy(pictures / "train" / "zero" / "0000.png", pictures / "test" / "zero" / "copy.png")


def conflict(pictures: Path) -> None:
    shutil.copy(pictures / "train" / "zero" / "0000.png", pictures / "train" / "one" / "copy.png")


def rejects(pictures: Path) -> None:
    for i in range(10):
        (pictures / "train" / "zero" / f"broken{i}.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (leak, ["train/zero/0000.png", "test/zero/copy.png", "gate.leaks"]),
        (conflict, ["zero", "one", "copy.png", "gate.conflicts"]),
        (rejects, ["rejected", "broken", "gate."]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_data_that_cannot_be_trusted_stops_the_run_at_the_gate(
    spoil, said: list[str], tmp_path: Path, pictures: Path
) -> None:
    spoil(pictures)
    result, screen = screen_of(tmp_path / "runs", pictures, "gate.leaks=stop", "gate.conflicts=stop")
    assert result.exit_code == ExitCode.REFUSED
    assert result.stages["DataGate"]["state"] == "refused"
    assert "Transform" not in result.stages
    assert "Trainer" not in result.stages
    text = "\n".join(result.why)
    for words in said:
        assert words in text, text
    assert all(line in screen for line in result.why)
    assert "Traceback" not in screen


def test_copies_in_a_folder_are_dropped_and_the_screen_says_so(tmp_path: Path, pictures: Path) -> None:
    """No stage after ExampleGen sees them, and the gate finds nothing of them."""
    leak(pictures)
    shutil.copy(pictures / "train" / "zero" / "0001.png", pictures / "train" / "one" / "copy.png")
    shutil.copy(pictures / "train" / "zero" / "0002.png", pictures / "train" / "zero" / "again.png")
    result, screen = screen_of(tmp_path / "runs", pictures, last="DataGate")
    assert result.exit_code == 0, result.why
    assert result.counts is not None
    assert (result.counts["test"], result.counts["rejected"]) == (31, 4)
    assert result.findings == []
    assert [note.split(", e.g. ")[0] for note in result.notes] == [
        "2 images were dropped: same pixels under more than one label (gate.conflicts)",
        "1 image was dropped: same pixels as another image of its class and split (gate.duplicates)",
        "1 image was dropped: same pixels in test (gate.leaks)",
    ]
    assert all(f"note      {note}" in screen for note in result.notes)
    sources = read(Path(artifact(tmp_path / "runs", "ExampleGen", "examples").uri))
    assert len(sources.all) == 93 - 4
    page = Path(str(result.report)).read_text()
    assert "same pixels in test" in page
    # Not much of the data may go that way.
    for file in sorted((pictures / "train" / "zero").iterdir())[8:16]:
        shutil.copy(file, pictures / "train" / "one" / f"zero-{file.name}")
    refused = run(tmp_path / "runs", pictures, last="DataGate")
    assert refused.exit_code == ExitCode.REFUSED
    (why,) = refused.why
    assert "were dropped, more than gate.max_dropped (10.0%) allows" in why


def test_a_gate_set_to_warn_lets_the_run_go_on_and_says_so(tmp_path: Path, pictures: Path) -> None:
    leak(pictures)
    result, screen = screen_of(tmp_path / "runs", pictures, "gate.leaks=warn", *LENIENT)
    assert result.exit_code == 0, result.why
    assert any("test/zero/copy.png" in line for line in result.warnings)
    assert "warning   " in screen


def test_a_tpu_where_there_is_none_is_a_mistake_in_one_line(transformed: Path) -> None:
    result, screen = screen_of(transformed / "runs", transformed / "pictures", "trainer.strategy=tpu")
    assert result.exit_code == ExitCode.USAGE_ERROR
    assert len(result.why) == 1
    assert "tpu" in result.why[0].lower()
    assert "Traceback" not in screen


def test_data_that_breaks_a_frozen_schema_stops_the_run(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`schema freeze` writes what was inferred; a class that it does not know is an anomaly from then on."""
    runs, schema = tmp_path / "runs", tmp_path / "schema.pbtxt"
    freeze = ["schema", "freeze", "--data", str(pictures), "--run-dir", str(runs), "--output", str(schema)]
    assert run(runs, pictures, last="SchemaGen").exit_code == 0
    assert main(freeze) == 0
    assert main(freeze) == 2
    assert f"{schema}" in capsys.readouterr().err
    assert main([*freeze, "--force"]) == 0
    assert all(f'"{name}"' in schema.read_text() for name in NAMES)
    good = run(runs, pictures, f"schema_file={schema}", last="DataGate")
    assert good.exit_code == 0, good.why
    edited = schema.read_text() + "# edited\n"
    schema.write_text(edited)
    assert run(runs, pictures, f"schema_file={schema}", last="SchemaGen").exit_code == 0
    copy = tmp_path / "copy.pbtxt"
    assert main([*freeze[:-1], str(copy)]) == 0  # of a run whose schema was curated already
    assert copy.read_text() == edited
    for split in ("train", "test"):
        (pictures / split / "two").rename(pictures / split / "nought")
    result, screen = screen_of(runs, pictures, f"schema_file={schema}")
    assert result.exit_code == ExitCode.REFUSED
    text = "\n".join(result.why)
    assert all(words in text for words in ("class_name", "nought", "gate.anomalies")), text
    assert "Traceback" not in screen


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot read the schema"), ("feature { nme: 1 }", "is not a text proto")]
)
def test_a_schema_that_cannot_be_read_is_a_mistake(
    content: str | None, said: str, tmp_path: Path, pictures: Path
) -> None:
    schema = tmp_path / "schema.pbtxt"
    if content:
        schema.write_text(content)
    result, _ = screen_of(tmp_path / "runs", pictures, f"schema_file={schema}")
    assert (result.exit_code, result.stages) == (ExitCode.USAGE_ERROR, {})
    assert len(result.why) == 1
    assert f"{schema}" in result.why[0]
    assert said in result.why[0]
