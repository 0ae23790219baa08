"""The commands that a person would type next after a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING

from components.contracts import findings, run_result
from components.contracts.run_result import Result
from pipeline.cli.messages import Step, command_line, program
from pipeline.runs import run_dir

if TYPE_CHECKING:
    from pipeline.config import Config


def after_run(result: Result, config: Config, words: Sequence[str]) -> list[Step]:
    """Return what to type after a run that was started by `words`."""
    state = run_result.state(result)
    report: Step = (command_line(config, "report", "--open"), "the report in the browser")
    if state == run_result.INTERRUPTED:
        return [(_again(words), "resume"), *([report] if result.stages else [])]
    if result.exit_code == run_result.ExitCode.USAGE_ERROR:  # its line says what to do
        return [report] if result.stages else []
    if state == run_result.PUSHED:
        predict = command_line(config, "predict", "IMAGE", *_named(result, config))
        return [(predict, "classify an image or a folder"), report]
    if state == run_result.REFUSED and result.blessed is None:
        return [*_without_findings(result, config, words), report]
    if state == run_result.REFUSED:
        why = command_line(config, "lineage", run_dir.beginning(result.run_id, run_dir.run_ids(config)), "--why")
        return [(why, "what each gate needs and what was measured"), _longer(config, words)]
    if state == run_result.PARTIAL:
        return [(_again(words, without=("--from", "--to")), "run the stages after it too"), report]
    return [(command_line(config, "doctor"), "check the environment and the run directory"), report]


def _named(result: Result, config: Config) -> list[str]:
    """Return the option that names the model, where models of other names are served too."""
    from pipeline.prediction import served

    try:
        return ["--model", result.name] if len(served.names(config)) > 1 else []
    except Exception:  # of ML Metadata: the push is done all the same
        return ["--model", result.name]


def _again(words: Sequence[str], *settings: str, without: Sequence[str] = ()) -> str:
    """Return the same command, with settings in place of others of the same keys, and without some options."""
    from pipeline.tracking import server_url

    replaced = {setting.partition("=")[0] for setting in settings}
    kept = list(_without(words, without, replaced))
    for setting in settings:
        kept += ["--set", setting]
    return f"{program()} {server_url.masked(shlex.join(kept))}"


def _without(words: Sequence[str], options: Sequence[str], keys: Set[str]) -> Iterator[str]:
    """Yield the words, without options with their values, and without settings of keys."""
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option in options:
            if not equals:
                next(rest, None)
        elif word == "--set":
            value = next(rest, "")
            if value.partition("=")[0] not in keys:
                yield from (word, value)
        elif option != "--set" or value.partition("=")[0] not in keys:
            yield word


def _without_findings(result: Result, config: Config, words: Sequence[str]) -> Iterator[Step]:
    """Yield the command that continues without the images that the gate stopped at, or in spite of what it found."""
    kinds = dict.fromkeys(finding.kind for finding in result.findings if finding.action == findings.STOP)
    settings = dict.fromkeys(setting for kind in kinds for setting in findings.settings_to_continue(kind))
    values = config.gate.actions
    dropped = any(values[kind] == findings.DROP for kind in kinds)  # an ExampleGen before this run kept the images
    configured = {f"gate.{kind}={action}" for kind, action in values.items()}
    changed = [setting for setting in settings if setting not in configured]
    leaves_out = all(kind in findings.LEFT_OUT for kind in kinds)
    meaning = "continue without these images" if leaves_out else "continue in spite of that"
    if changed or dropped:
        yield _again(words, *changed, without=("--from",) if dropped else ()), meaning


def _longer(config: Config, words: Sequence[str]) -> Step:
    """Return the run with twice the training, which is what helps most often."""
    minutes, epochs = config.trainer.minutes, config.trainer.epochs
    setting = f"trainer.minutes={2 * minutes:g}" if minutes else f"trainer.epochs={2 * epochs}"
    return _again(words, setting, without=("--from", "--to")), "train twice as long; docs/gates.md: the thresholds"
