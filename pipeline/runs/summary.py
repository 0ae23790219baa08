"""The last lines of a run: how good the model is, whether it was pushed or why not, and where everything is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TextIO

from rich.console import Console

from components.contracts import advice, checks, features, findings, run_result
from components.contracts.run_result import ExitCode, Result
from pipeline import tables
from pipeline.output import short


def show(result: Result, file: TextIO, quiet: bool = False) -> None:
    """Print the last lines of a run; if quiet only how it ended."""
    # A notebook asks for colours and for HTML of every line; its cells hold plain text.
    plain: dict[str, Any] = {} if file.isatty() else {"color_system": None, "force_jupyter": False}
    console = Console(file=file, highlight=False, soft_wrap=True, **plain)

    def say(text: str = "", style: str | None = None) -> None:
        title, gap, rest = text[: tables.TITLE], text[tables.TITLE : tables.TITLE + 1], text[tables.TITLE + 1 :]
        lines = tables.titled(title.rstrip(), rest, tables.room(file)) if gap == " " else [text]
        for line in lines:
            console.print(line, style=style, markup=False)

    if not quiet:
        _print_measured(result, file, say)
    _print_end(result, say)
    if quiet:
        return
    if listed := _findings_file(result):
        say(f"findings  {short(listed)}: the images concerned, a line each")
    if result.stages:
        say(f"report    {short(result.report) if result.report else 'not made'}")
        say(f"artifacts {short(result.artifacts)}")
    if result.stages or result.exit_code == ExitCode.FAILED:
        say(f"log       {short(result.log)}")


def _findings_file(result: Result) -> str | None:
    """Return the path of the list of the images that the gate stopped at; None if there is none."""
    path = os.path.join(os.path.dirname(result.log), findings.CSV_FILE)
    return path if result.findings and os.path.exists(path) else None


def _print_measured(result: Result, file: TextIO, say: Callable[..., None]) -> None:
    """Print what is known of the data and the model."""
    if result.stages:
        say()
    if result.counts:
        splits = ", ".join(f"{result.counts.get(split, 0):,} {split}" for split in features.SPLITS)
        say(f"data      {splits}; {result.counts['rejected']:,} rejected")
    for note in result.notes:
        say(f"note      {note}")
    for warning in result.warnings:
        say(f"warning   {warning}", "yellow")
    _print_trials(result.trials, file)
    if result.metrics:
        for line in metric_lines(result.metrics):
            say(line)
    for line in result.advice:
        say(f"advice    {line}")


def _print_end(result: Result, say: Callable[..., None]) -> None:
    """Print the state of the run, and why."""
    state = run_result.state(result)
    if result.pushed and state in (run_result.PUSHED, run_result.INTERRUPTED):
        before = " already, nothing changed" if result.stages["Pusher"]["state"] == "cached" else ""
        say(f"pushed    version {result.pushed['version']}{before}: {short(result.pushed['path'])}", "bold green")
        if line := served_line(result.served, result.pushed["version"]):
            say(line, "bold yellow")
    if state == run_result.PARTIAL:
        say(f"partial   ended after {next(reversed(result.stages), 'nothing')}, as requested")
    if result.exit_code == ExitCode.DONE:
        return
    first, *more = ["nothing was pushed", *result.why] if state == run_result.REFUSED else result.why
    label = "" if state == run_result.INTERRUPTED else f"{state:<9} "  # the line of an interruption begins with it
    say(f"{label}{first}", "bold red" if state == run_result.FAILED else "bold yellow")
    for line in more:
        say(f"          {line}")


def _print_trials(trials: list[dict[str, float]], file: TextIO) -> None:
    """Print a table of the Tuner's trials, the best first."""
    names = [name for name in trials[0] if name != "score"] if trials else []
    rows = [("trials", "validation accuracy", *names)] if trials else []
    rows += [("", f"{trial['score']:.2%}", *(f"{trial[name]:.4g}" for name in names)) for trial in trials]
    tables.print_table(rows, indent=0, least=(8,), right=range(1, len(names) + 2), file=file)


def metric_lines(metrics: dict[str, Any]) -> list[str]:
    """Return the accuracy with its interval beside the majority-class rate, the baseline's, and the lowest recall.

    Where classes are unequal, macro F1 as well, and that it decides.
    """
    accuracy, level = metrics["accuracy"], metrics["confidence"]
    lines = [
        f"accuracy  {accuracy['value']:.2%} of {metrics['pictures']:,} test images "
        f"({level:.0%} interval {accuracy['low']:.2%} to {accuracy['high']:.2%})"
    ]
    guessed, share = checks.majority(metrics)
    better = "" if accuracy["low"] >= share else "not shown to be better than the "
    lines.append(f"          {better}majority-class rate: {share:.2%}, always predicting {guessed!r}")
    if metrics["baseline"]:
        lines.append(f"          the latest blessed model: {metrics['baseline']['accuracy']:.2%}")
    if unequal := advice.unequal({c["name"]: c["pictures"] for c in metrics["classes"]}):
        lines.append(f"          {unequal}")
        if "macro_f1" in metrics:
            lines.append(f"          macro F1: {metrics['macro_f1']:.2%}")
    measured = [c for c in metrics["classes"] if c["recall"]]
    worst = min(measured, key=lambda c: c["recall"]["value"])
    lines.append(f"          lowest recall: {worst['name']!r}, {worst['recall']['value']:.2%} of {worst['pictures']:,}")
    return lines


def served_line(served: dict[str, str] | None, pushed: str) -> str:
    """Return a line if the served version is not the run's; empty if it is."""
    if served is None or served["version"] == pushed:
        return ""
    if served["is"] == pushed:
        return f"served    as version {served['version']}, which `rollback` made of version {pushed}"
    copy = "" if served["is"] == served["version"] else f", which `rollback` made of version {served['is']}"
    return f"served    is version {served['version']}{copy}; `image-pipeline rollback {pushed}` serves this one"
