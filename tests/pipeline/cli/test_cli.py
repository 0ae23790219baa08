"""The command line as a shell sees it: exit codes, one clear line for a mistake, no heavy import for an answer."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import ROOT
from pipeline.cli import COMMANDS, main, parser
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
from pipeline.cli import COMMANDS, main, parser
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
        (
            ("run", "--from", "Trainer", "--to", "Transform"),
            "error: the first stage, Trainer, comes after the last, Transform",
        ),
        (("run", "--from", "Trainer"), "no previous run of 'digits' in output to resume from; run the full"),
        (("predict", "none.png"), "error: none.png: no such file or folder"),
        (("predict", "file", "--model", "none"), "error: no pushed model named 'none' in output; push one with"),
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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("prdict", "unknown command 'prdict'; did you mean predict?"),
        ("qwxyz", "unknown command 'qwxyz'; known: run, predict, "),
        ("vertex sumbit", "unknown action 'sumbit'; did you mean submit?"),
        ("run --from trainr", "--from: unknown stage 'trainr'; did you mean Trainer?"),
        ("run --warmstart", "unknown option --warmstart; did you mean --warm-start?"),
        ("runs extra", "'extra' is one argument too many; see `image-pipeline runs --help`"),
        ("runs --sort tim", "--sort 'tim'; did you mean time?"),
        ("run --preset photo", "unknown preset 'photo'; did you mean photos? the presets are"),
        ("run --set epochs=3", "unknown config key 'epochs' (--set); did you mean trainer.epochs?"),
        ("config --explain epochs", "unknown config key 'epochs'; did you mean trainer.epochs?"),
        ("run a --data b", "both 'a' and --data 'b' name the data: give one of them"),
    ],
)
def test_what_was_probably_meant_is_named(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(words.split())
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    assert (code, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert captured.err.startswith(f"error: {message}")


def test_a_stage_may_be_written_in_any_case() -> None:
    args = parser(["run"]).parse_args(["run", "--from", "trainer", "--to=SERVINGCHECK"])
    assert (args.first, args.last) == ("Trainer", "ServingCheck")


def test_a_path_is_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "no/such/folder"]) == 2
    assert "no/such/folder" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["vertex"], ["schema"]], ids=" ".join)
def test_a_command_without_its_action_prints_its_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(['image-pipeline', *words])}")


def every_parser(at: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield at
    for action in at._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from every_parser(inner)


def test_each_help_has_a_sentence_two_examples_and_the_exit_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    commands = list(every_parser(parser()))
    assert len(commands) > len(COMMANDS)
    for command in commands:
        text = command.format_help()
        assert re.match(r"[A-Z].*\.$", command.description or ""), command.prog
        examples = re.findall(rf"^  ({command.prog}.*)$", text, re.MULTILINE)
        assert len(examples) == 2, command.prog
        for code in ("0", "1", "2", "130"):
            assert re.search(rf"^  {code} +\w", text, re.MULTILINE), (command.prog, code)
        assert max(map(len, text.splitlines())) <= 80, command.prog
        for example in examples:
            words = shlex.split(example.partition("  # ")[0])[1:]
            if command.prog != "image-pipeline vertex" or "compile" in words:
                parser(words).parse_args(words)


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
        (("card", "pictrues/1"), "; did you mean pictures?"),
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
    """Each command in one process after the other: none of them may import what takes seconds.

    `card` and `compare --html` do: their pages hold images, which TensorFlow reads from the records.
    """
    first, second = history.first.run_id, history.second.run_id
    asked = [["runs"], ["show"], ["report"], ["lineage"], ["lineage", "--why"], ["compare", first, second]]
    code = f"""
import sys
from pipeline.cli import COMMANDS, main, parser
for words in {asked!r}:
    assert main([*words, "--run-dir", {str(history.folder)!r}]) == 0, words
print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.splitlines()[-1] == "heavy: []", done.stdout + done.stderr
