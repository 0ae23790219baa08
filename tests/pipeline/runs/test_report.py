"""Reports of real runs: made however a run ends, registered, and made again by the command."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from components.contracts import evaluation
from components.contracts.run_result import ExitCode, Result
from pipeline.cli import main
from pipeline.runs import report as reports
from pipeline.runs import result as results
from pipeline.runs import run_dir
from tests.datasets import write_folder
from tests.report.page import Page
from tests.runs import History, artifact, run, store_of

pytestmark = pytest.mark.slow


def page_of(result: Result) -> Page:
    assert result.report is not None
    return Page(Path(result.report))


def test_the_figures_are_those_of_the_evaluation(history: History) -> None:
    for result in (history.first, history.second):
        figures = page_of(result).figures
        measured = evaluation.read(artifact(history.folder, "Evaluator", "evaluation", result.run_id).uri)
        assert set(figures["accuracy"]) == {measured.accuracy.value}
        assert set(figures["ece"]) == {measured.metrics["expected_calibration_error"]}
        by_recall = sorted((one for one in measured.classes if one.recall), key=lambda one: one.recall.value)  # type: ignore[union-attr]
        assert figures["class.recall"] == [one.recall.value for one in by_recall if one.recall]
        assert figures["counts.train"] == [result.counts["train"]] * 2  # type: ignore[index]


def test_the_second_is_compared_with_the_first_image_by_image(history: History) -> None:
    first, second = history.first, history.second
    assert first.exit_code == 0, first.why
    assert second.exit_code == ExitCode.REFUSED
    page = page_of(second)
    change = (second.metrics["accuracy"]["value"] - first.metrics["accuracy"]["value"]) * second.counts["test"]  # type: ignore[index]
    assert page.figures["gained"][0] - page.figures["lost"][0] == pytest.approx(change)
    assert page.text.index(" missing") < page.text.rindex("Confusion matrix"), "what the gate needed stands at the top"
    assert f"../{first.run_id}/report.html" in [of["href"] for of in page.tags("a")], "the baseline's report"
    assert "No earlier model to compare with" in page_of(first).text


def test_the_report_is_an_artifact_of_its_run(history: History) -> None:
    folder, first = history.folder, history.first
    store = store_of(folder)
    (found,) = store.get_artifacts_by_uri(str(first.report))
    (context,) = store.get_contexts_by_artifact(found.id)
    assert (context.type, context.name) == ("pipeline_run", first.run_id)


def test_the_command_prints_the_path_and_makes_the_same_page_again(
    history: History, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, first = history.folder, history.first
    before = page_of(first).source
    Path(str(first.report)).unlink()
    for arguments, result in (([first.run_id], first), ([], history.other), ([first.run_id, "--rebuild"], first)):
        capfd.readouterr()
        assert main(["report", *arguments, "--run-dir", str(folder)]) == 0
        assert capfd.readouterr().out == f"{result.report}\n"
    assert page_of(first).source == before
    assert len(store_of(folder).get_artifacts_by_uri(str(first.report))) == 1
    assert main(["report", "nosuch", "--run-dir", str(folder)]) == 2
    assert "no run 'nosuch'" in capfd.readouterr().err


def test_a_run_of_another_version_is_a_mistake_in_one_line(
    history: History, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, first = history.folder, history.first
    own = tmp_path / "runs" / first.run_id
    shutil.copytree(folder / "runs" / first.run_id, own)
    with (own / "config.yaml").open("a") as file:
        file.write("gone: 1\n")
    assert main(["report", "--rebuild", "--run-dir", str(tmp_path)]) == 2
    assert "another version of this project, whose key 'gone'" in capfd.readouterr().err


def test_the_index_links_to_each(history: History) -> None:
    links = [(history.folder / str(of["href"])).resolve() for of in Page(history.folder / "index.html").tags("a")]
    newest_first = [Path(str(one.report)) for one in (history.other, history.again, history.second, history.first)]
    reports = [link for link in links if link.name == "report.html"]
    assert reports[-len(newest_first) :] == newest_first, "the rows, after the points of the chart"
    assert set(reports) == set(newest_first)


def test_show_prints_what_came_of_a_run(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    folder, first, second = history.folder, history.first, history.second
    assert main(["show", second.run_id, "--run-dir", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert all(line in shown for line in second.why)
    assert "Trainer           done" in shown
    assert results.read(folder / "runs" / first.run_id / run_dir.RESULT_FILE) == first


def test_data_stopped_at_the_gate(tmp_path: Path) -> None:
    pictures = write_folder(tmp_path / "pictures", train=12, test=6)
    copy = pictures / "test" / "zero" / "<img src=x onerror=alert(1)>.png"
    copy.write_bytes((pictures / "train" / "zero" / "0000.png").read_bytes())
    result = run(tmp_path / "runs", pictures, "gate.leaks=stop")
    assert result.exit_code == ExitCode.REFUSED
    page = page_of(result)
    assert "the data cannot be trusted" in page.text
    assert all(finding.summary in page.text for finding in result.findings)
    assert "findings.csv" in [of.get("href") for of in page.tags("a")]
    assert not [of for _, of in page.elements if "onerror" in of]
    (leak,) = (finding for finding in result.findings if finding.kind == "leaks")
    assert [place["split"] for place in leak.examples[0]["pictures"]] == ["train", "test"]
    shown = base64.b64encode(copy.read_bytes()).decode()
    assert any(of["src"] == f"data:image/png;base64,{shown}" for of in page.tags("img"))
    assert {"data", "run"} <= page.ids()
    assert "training" not in page.ids()


def test_a_report_that_cannot_be_made_does_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*unused: object) -> None:
        raise RuntimeError("no report today")

    monkeypatch.setattr(reports, "make", broken)
    pictures = write_folder(tmp_path / "pictures", train=12, test=6)
    result = run(tmp_path / "runs", pictures, last="StatisticsGen")
    assert (result.exit_code, result.report) == (0, None)


def test_a_mistake_has_its_report_too(tmp_path: Path) -> None:
    pictures = write_folder(tmp_path / "pictures", train=3, test=3)
    for file in pictures.rglob("*.png"):
        file.write_bytes(b"broken")
    result = run(tmp_path / "runs", pictures)
    assert result.exit_code == ExitCode.USAGE_ERROR
    page = page_of(result)
    assert page.text.index("failed") < page.text.index(result.why[0])
