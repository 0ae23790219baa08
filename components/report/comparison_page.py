"""The page that compares two runs, and the wording that it shares with the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.contracts.metrics import METRICS
from components.report import page
from components.report.comparison import ComparedRun
from components.text import printable


def write(comparison: dict[str, Any], runs: Sequence[ComparedRun], reports: Sequence[Path], path: Path) -> None:
    """Write the page of a comparison to `path`, with links to the reports of the two runs where they exist."""
    links = [page.link(str(report), path.parent) if report.exists() else None for report in reports]
    words: dict[str, Any] = {"value": value, "change": change, "in_words": in_words}
    verdicts = [page.verdict(run.result) for run in runs]
    page.write("compare.html", path, comparison=comparison, compared=runs, verdicts=verdicts, links=links, **words)


def in_words(paired: dict[str, Any], level: float) -> str:
    """Return the result of McNemar's test as a sentence."""
    verdict = "significant" if paired["p"] < level else "not significant"
    return (
        f"Of {paired['shared']:,} shared images, {paired['gained']:,} only the second run got right and "
        f"{paired['lost']:,} only the first: McNemar's p = {paired['p']:.3g}, {verdict}"
    )


def change(row: dict[str, Any]) -> str:
    """Return the difference of a metric in its unit, and whether it is better."""
    if row["difference"] is None:
        return ""
    if row["better"] is None:
        return "the same"
    difference = METRICS[row["name"]].format_difference(row["difference"])
    if not any(digit in difference for digit in "123456789"):
        return "the same to the digits shown"
    return f"{difference}, {'better' if row['better'] else 'worse'}"


def value(of: Any) -> str:
    """Return a value of the configuration as text; a dash if there is none."""
    return "-" if of is None else printable(of if isinstance(of, str) else json.dumps(of), 60)
