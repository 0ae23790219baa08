"""The command line as a shell sees it: exit codes, one clear line for a mistake, no heavy import for an answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import ROOT
from pipeline.cli import main
from tests.runs import History

HEAVY = ("tensorflow", "tfx", "apache_beam", "tensorflow_model_analysis", "keras")


def pipeline(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=120,
    )


@pytest.mark.parametrize(
    "words",
    [("--help",), ("run", "--help"), ("config",), ("run", "--set", "nonsense=1"), ("run", "--data", "no/such/folder")],
    ids=" ".join,
)
def test_an_answer_needs_no_heavy_import(words: tuple[str, ...]) -> None:
    code = f"""
import sys
from pipeline.cli import main
try:
    main({list(words)!r})
except SystemExit:
    pass
print("heavy:", [name for name in {(*HEAVY, "ml_metadata")!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.splitlines()[-1] == "heavy: []", done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "--set", "trainer.epoch=3"), "error: unknown config key 'trainer.epoch' (--set); did you mean"),
        (("run", "--config", "none.yaml"), "error: cannot read the config file none.yaml: No such file"),
        (("run", "--preset", "x"), "error: unknown preset 'x'; the presets are"),
        (("run", "--data", "no/such/folder"), "no/such/folder"),
        (("run", "--from", "Trainer", "--to", "Transform"), "error: --from Trainer comes after --to Transform"),
        (("run", "--from", "Trainer"), "no previous run of 'digits' in output to resume from; run the full"),
        (("predict", "none.png"), "error: none.png: no such file or folder"),
        (("predict", "file", "--model", "none"), "error: --model none: there is no SavedModel; name the folder of a"),
        (("schema", "freeze"), "has a schema yet; make one with"),
        (("run", "--set", "metadata.url=oracle://x"), "error: config key 'metadata.url' (--set): write it as mysql://"),
        (("run", "--run-dir", "file/below"), "error: cannot make the run directory file/below: Not a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_ends_in_one_line_and_exit_code_2(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = pipeline(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_an_unknown_word_ends_with_the_usage() -> None:
    done = pipeline("fly")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_predict_without_a_model_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    done = pipeline("predict", "a.png", cwd=tmp_path)
    assert done.returncode == 2
    assert "no pushed model in output; push one with `image-pipeline run`" in done.stderr


def test_config_prints_each_value_with_its_origin() -> None:
    done = pipeline("config", "--set", "seed=3", "--json")
    values = json.loads(done.stdout)
    assert values["seed"] == {"value": 3, "origin": "--set"}
    assert values["data.source"] == {"value": "digits", "origin": "preset digits"}
    plain = pipeline("config", "--set", "seed=3").stdout
    assert any(line.split() == ["seed:", "3", "#", "--set"] for line in plain.splitlines())


def test_runs_of_an_empty_directory(tmp_path: Path) -> None:
    done = pipeline("runs", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "no runs in output; make the first with `image-pipeline run`\n")
    assert json.loads(pipeline("runs", "--json", cwd=tmp_path).stdout) == []
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("folder", ["none", "empty"])
@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("report",),
        ("lineage",),
        ("lineage", "--why"),
        ("lineage", "#1"),
        ("compare", "a", "b"),
        ("card",),
        ("card", "3"),
        ("board",),
    ],
    ids=" ".join,
)
def test_a_question_where_nothing_was_run_is_answered_in_one_line(
    words: tuple[str, ...], folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main([*words, "--run-dir", str(tmp_path / folder)]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert f"{tmp_path / folder}" in captured.err
    assert "`image-pipeline run" in captured.err
    assert not (tmp_path / "none").exists()
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nosuch"), "no run 'nosuch'"),
        (("report", "nosuch"), "no run 'nosuch'"),
        (("lineage", "nosuch"), "there is no 'nosuch' in"),
        (("lineage", "#999"), "no '#999'"),
        (("lineage", "pictures/9"), "no version 'pictures/9'"),
        (("lineage", "sha256:00ff"), "no 'sha256:00ff'"),
        (("compare", "20", "nosuch"), "4 runs begin with '20'"),
        (("card", "9"), "no version '9'"),
        (("runs", "--filter", "colour=red"), "filter by name, data, preset"),
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_one_clear_line(
    words: tuple[str, ...], said: str, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--run-dir", str(history.folder)]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)


@pytest.mark.slow
def test_no_answer_needs_tensorflow(history: History) -> None:
    """Each command in one process after the other: none of them may import what takes seconds."""
    first, second = history.first.run_id, history.second.run_id
    asked = [["runs"], ["show"], ["report"], ["lineage"], ["lineage", "--why"], ["compare", first, second], ["card"]]
    code = f"""
import sys
from pipeline.cli import main
for words in {asked!r}:
    assert main([*words, "--run-dir", {str(history.folder)!r}]) == 0, words
print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.splitlines()[-1] == "heavy: []", done.stdout + done.stderr
