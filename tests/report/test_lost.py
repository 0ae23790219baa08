"""A run directory of which a part is gone or damaged: everything else is still told, and what is missing is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main
from tests.report.page import Page
from tests.runs import History, artifact, copied

pytestmark = pytest.mark.slow

# The artifacts that pages and answers read, with the sections of the report that do.
READ = {
    ("ExampleGen", "examples"): ("data", "evaluation"),
    ("StatisticsGen", "statistics"): ("data",),
    ("SchemaGen", "schema"): ("data",),
    ("ExampleValidator", "anomalies"): ("data",),
    ("Trainer", "model_run"): ("training",),
    ("Evaluator", "evaluation"): ("evaluation",),
    ("ServingCheck", "blessing"): (),
    ("ServingCheck", "predictions"): ("evaluation",),
}
UNREAD = (
    ("DataGate", "findings"),
    ("Transform", "transform_graph"),
    ("Trainer", "model"),
    ("Evaluator", "blessing"),
    ("Pusher", "pushed_model"),
)
# Of these the card says that something is missing; the metrics are in result.json too.
ON_THE_CARD = ("examples", "statistics", "model_run", "blessing", "predictions")


@pytest.fixture(scope="module")
def folder(history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(history.folder, tmp_path_factory.mktemp("lost") / "runs")


@pytest.fixture
def ask(folder: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """What a command prints, and its exit code: 0, or 2 with one line."""

    def answer(*words: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main([*words, "--run-dir", str(folder)])
        said = capfd.readouterr()
        assert code in (0, 2)
        assert "Traceback" not in said.out + said.err
        if code:
            waited = [line for line in said.err.splitlines() if line.startswith("writing ")]
            assert said.err.splitlines()[len(waited)].startswith("error: ")
            assert said.err.count("\n") == len(waited) + 1
        return code, said.out + said.err

    return answer


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Any]:
    """Takes a file or folder away until the test is over, and may put another in its place."""
    moved: list[tuple[Path, Path]] = []

    def take(path: Path, instead: bytes | None = None) -> None:
        place = tmp_path / str(len(moved))
        path.rename(place)
        moved.append((place, path))
        if instead is not None:
            path.write_bytes(instead)

    yield take
    for place, path in moved:
        if path.is_file():
            path.unlink()
        place.rename(path)


@pytest.mark.parametrize("damaged", [False, True], ids=["gone", "damaged"])
@pytest.mark.parametrize("which", READ, ids="-".join)
def test_without_an_artifact_the_rest_is_told(
    which: tuple[str, str], damaged: bool, history: History, folder: Path, ask: Any, away: Any
) -> None:
    first, second = history.first.run_id, history.second.run_id
    uri = Path(artifact(folder, *which, first).uri)
    if damaged:
        for file in [one for one in uri.rglob("*") if one.is_file()]:
            away(file, b"\xff{\n")
    else:
        away(uri)
    assert ask("report", first, "--rebuild")[0] == 0
    page = Page(folder / "runs" / first / "report.html")
    assert {"verdict", "data", "training", "evaluation", "run"} <= page.ids()
    assert ("Not shown: " in page.text) == bool(READ[which])
    assert page.text.count("Not shown: ") >= (1 if damaged else len(READ[which])) or not READ[which]
    assert str(uri) in page.text or not READ[which]

    code, compared = ask("compare", first, second)
    assert code == 0
    if which[1] in ("examples", "predictions"):
        assert f"{uri} is {'damaged' if damaged else 'gone'}" in compared
    for words in (("card", "pictures/1"), ("lineage", "pictures/1"), ("lineage", "--why", "pictures/1")):
        assert ask(*words)[0] == 0
    assert ("**Not shown:**" in (folder / "runs" / first / "card.md").read_text()) == (which[1] in ON_THE_CARD)


def test_what_no_page_reads_is_not_missed(history: History, folder: Path, ask: Any, away: Any) -> None:
    first, second = history.first.run_id, history.second.run_id
    for which in UNREAD:
        away(Path(artifact(folder, *which, first).uri))
    for words in (("report", first, "--rebuild"), ("compare", first, second, "--html"), ("card", "pictures/1")):
        assert ask(*words)[0] == 0
    assert "Not shown: " not in Page(folder / "runs" / first / "report.html").text
    assert len(json.loads(ask("runs", "--json")[1])) == 4
    assert ask("show", first)[0] == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 512, b"[]", b"{}", b"{]", b'{"run_id": "', b"\xff\xfe"],
    ids=lambda content: repr(content[:10]),
)
def test_a_damaged_result_hides_no_other_run(
    content: bytes, history: History, folder: Path, ask: Any, away: Any
) -> None:
    first, second = history.first.run_id, history.second.run_id
    away(folder / "runs" / first / "result.json", content)
    code, said = ask("runs", "-q")
    assert code == 0
    assert said.count("\n") == 9, said  # a title, four runs, what is served from three folders, which file is damaged
    assert f"served: version 1 of pictures, of run {first}\n" in said
    assert f"runs/{first}/result.json cannot be read" in said
    rows = {row["run_id"]: row["state"] for row in json.loads(ask("runs", "--json")[1])}
    assert (rows[first], rows[second]) == ("damaged", "refused")
    for words in (("show", first), ("report", first, "--rebuild"), ("compare", first, second)):
        code, said = ask(*words)
        assert code == 2
        assert f"runs/{first}/result.json is damaged" in said
    for words in (("show", second), ("report", second, "--rebuild"), ("lineage", "pictures/1"), ("card", "pictures/1")):
        assert ask(*words)[0] == 0
    assert ask("lineage", "--why", "pictures/1")[0] == 0
    index = Page(folder / "index.html").text
    assert f"runs/{first}/result.json is damaged" in index
    assert second in index


def test_a_damaged_configuration_is_named(history: History, folder: Path, ask: Any, away: Any) -> None:
    first = history.first.run_id
    away(folder / "runs" / first / "config.yaml", b"trainer: {epochs")
    for words in (("report", first, "--rebuild"), ("compare", first, history.second.run_id)):
        assert f"runs/{first}/config.yaml is damaged" in ask(*words)[1]
    assert ask("show", first)[0] == 0


def test_without_result_and_evaluation_there_is_no_card(history: History, folder: Path, ask: Any, away: Any) -> None:
    evaluation = Path(artifact(folder, "Evaluator", "evaluation", history.first.run_id).uri)
    away(folder / "runs" / history.first.run_id / "result.json")
    away(evaluation)
    code, said = ask("card", "pictures/1")
    assert (code, f"{evaluation} is gone" in said) == (2, True)
    for words in (("lineage", "pictures/1"), ("lineage", "--why", "pictures/1")):
        code, said = ask(*words)
        assert (code, f"lost      metrics: {evaluation} is gone" in said) == (0, True)


def test_without_ml_metadata_one_line_says_so(history: History, folder: Path, ask: Any, away: Any) -> None:
    away(folder / "metadata.sqlite")
    for words in (("compare", history.first.run_id, history.second.run_id), ("lineage",), ("report", "--rebuild")):
        assert ask(*words)[0] == 2
    assert ask("runs")[0] == 0
    assert not (folder / "metadata.sqlite").exists()
