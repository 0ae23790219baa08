"""A comparison of two runs as a page, and the words for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.contracts.metrics import METRICS
from components.names import printable
from components.report import page
from components.report.comparison import Side


def write(found: dict[str, Any], sides: Sequence[Side], reports: Sequence[Path], path: Path) -> None:
    """Write what comparison.compare found to `path`, with links to the reports of the two runs where they exist."""
    links = [page.link(str(one), path.parent) if one.exists() else None for one in reports]
    words = {"value": value, "change": change, "in_words": in_words}
    verdicts = [page.verdict(side.result) for side in sides]
    page.write("compare.html", path, found=found, sides=sides, verdicts=verdicts, links=links, **words)


def in_words(both: dict[str, Any], level: float) -> str:
    """McNemar's test for people."""
    verdict = "significant" if both["p"] < level else "not significant"
    return (
        f"Of {both['shared']:,} shared images, {both['gained']:,} only the second run got right and {both['lost']:,} "
        f"only the first: McNemar's p = {both['p']:.3g}, {verdict}"
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
