"""`rollback` and `gc` on real runs: what is served is told truly, and what it needs is never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.contracts.run_result import Result
from pipeline import config as configs
from pipeline.cli import main
from pipeline.prediction.served import find
from pipeline.runs import retention, run_dir
from pipeline.runs.summary import served_line
from pipeline.tracking.metadata import Artifact
from tests.report.page import Page
from tests.runs import LENIENT, History, copied, executed, run, store_of

pytestmark = pytest.mark.slow
ANOTHER = (*LENIENT, "trainer.epochs=2", "evaluator.max_drop=1")


@pytest.fixture(scope="module")
def served(history: History, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """(a copy of the run directory, a run in it that pushed version 2 of `pictures`)."""
    folder = copied(history.folder, tmp_path_factory.mktemp("retention") / "runs")
    result = run(folder, history.pictures, *ANOTHER)
    assert result.pushed is not None, result.why
    assert result.pushed["version"] == "2"
    return folder, result


@pytest.fixture
def ask(served: tuple[Path, Result], capfd: pytest.CaptureFixture[str]) -> Any:
    def answer(*words: str, code: int = 0) -> str:
        capfd.readouterr()
        assert main([*words, "--run-dir", str(served[0])]) == code
        said = capfd.readouterr()
        return said.err if code else said.out

    return answer


def test_rollback_and_gc(history: History, served: tuple[Path, Result], ask: Any) -> None:
    folder, second = served
    base = folder / "serving" / "pictures"
    before = {file: file.read_bytes() for file in (base / "1").rglob("*") if file.is_file()}

    # Nothing that is wrong changes anything.
    assert "there is no version 'pictures/9'" in ask("rollback", "pictures/9", code=2)
    variables = next((base / "1" / "variables").glob("*.data-*"))
    whole = variables.read_bytes()
    variables.write_bytes(whole[:-1])
    assert "version 1 of pictures is damaged" in ask("rollback", "pictures/1", code=2)
    variables.write_bytes(whole)
    assert sorted(one.name for one in base.iterdir()) == ["1", "2"]

    assert ask("rollback").startswith("version 3 is version 1 of pictures again, and is served in place of version 2")
    assert {file: (base / "3" / file.relative_to(base / "1")).read_bytes() for file in before} == before
    assert "is what version 3 serves already" in ask("rollback", "pictures/1")
    assert "has no version before 1 to go back to" in ask("rollback", code=2)
    assert sorted(one.name for one in base.iterdir()) == ["1", "2", "3"]

    # Every answer tells it.
    rows = {row["run_id"]: row["served"] for row in json.loads(ask("runs", "--json"))}
    assert (rows[history.first.run_id], rows[second.run_id]) == ({"version": "3", "is": "1"}, None)
    assert "served: version 3 of pictures, which is version 1 again" in ask("runs")
    lineage = ask("lineage")
    assert "version 3 of pictures" in lineage
    assert "is        version 1, which `rollback` put in front again" in lineage
    assert f"trained by run {history.first.run_id}" in lineage
    assert "was blessed" in ask("lineage", "--why", "pictures/3")
    assert ask("card", "pictures/3")
    config = configs.load("digits", None, (f"run_dir={folder}",))[0]
    assert find(config, "pictures").path == str(base / "3")

    # The same run again takes all from the cache, pushes nothing, and does not say that its version is served.
    again = run(folder, history.pictures, *ANOTHER)
    assert (again.exit_code, executed(again)) == (0, [])
    assert (again.pushed, again.served) == (second.pushed, {"version": "3", "is": "1"})
    assert "is version 3, which `rollback` made of version 1" in served_line(again.served, "2")
    assert "version 2 was pushed, version 3 is served" in Page(Path(str(again.report))).text

    # What gc would remove it only prints at first; then nothing that is needed is gone.
    everything = {path for path in folder.rglob("*") if path.is_file()}
    planned = ask("gc", "--keep", "1", "--set", "serving.keep=2", "--dry-run")
    assert {path for path in folder.rglob("*") if path.is_file()} - {folder / "lock"} == everything - {folder / "lock"}
    removed = ask("gc", "--keep", "1", "--set", "serving.keep=2")
    assert removed.splitlines()[:-1] == planned.splitlines()[:-1]
    assert "nothing to remove" in ask("gc", "--keep", "1", "--set", "serving.keep=2")
    assert sorted(one.name for one in base.iterdir()) == ["2", "3"]
    assert not (folder / "runs" / history.second.run_id / "report.html").exists()
    for one in store_of(folder).get_artifacts():
        inside = one.uri.startswith(f"{folder}/artifacts/")
        assert not inside or Path(one.uri).exists() == (one.state == Artifact.LIVE), one

    assert len(json.loads(ask("runs", "--json"))) == 6
    assert "served: version 3 of pictures" in ask("runs")
    assert "lost" not in ask("lineage", "pictures/3")
    assert "lost" not in ask("lineage", "--why", "pictures/3")
    assert "Not shown" not in Path(ask("card", "pictures/3").splitlines()[1]).read_text()
    ask("report", again.run_id, "--rebuild")
    assert "Not shown: " not in Page(Path(str(again.report))).text
    last = run(folder, history.pictures, *ANOTHER)
    assert (last.exit_code, executed(last)) == (0, [])
    assert ask("rollback", "pictures/2").startswith("version 4 is version 2 of pictures again")
    # What was removed is made again, not taken for being there.
    refused = run(folder, history.pictures, "evaluator.min_accuracy=1", "trainer.learning_rate=1e-9")
    assert refused.exit_code == 3, refused.why
    assert "Trainer" in executed(refused)
    assert "version 4 of pictures" in ask("lineage")


def test_gc_waits_for_the_lock(served: tuple[Path, Result], ask: Any) -> None:
    config = configs.load("digits", None, (f"run_dir={served[0]}",))[0]
    with run_dir.locked(config):
        for words in (("gc",), ("rollback", "pictures/1")):
            assert "is using" in ask(*words, code=2)
    assert "--keep 0" in ask("gc", "--keep", "0", code=2)


def test_checkpoints_older_than_the_kept_runs_go(served: tuple[Path, Result], tmp_path: Path) -> None:
    config = configs.load("digits", None, (f"run_dir={tmp_path}",))[0]
    (tmp_path / "checkpoints" / "old").mkdir(parents=True)
    found = retention._checkpoints(config, "20990101-000000.000-abcdef")
    assert [Path(one.path).name for one in found] == ["old"]
    assert not list(retention._checkpoints(config, "20200101-000000.000-abcdef"))
