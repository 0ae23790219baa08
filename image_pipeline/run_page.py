"""A run as a notebook shows it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from image_pipeline import findings, page

if TYPE_CHECKING:
    from components.contracts.run_result import Result

LARGEST = 8 << 20  # bytes of a report that is shown inside the notebook, which stores it


def of(result: Result) -> str:
    """Return the HTML: verdict, metrics with their intervals, findings, advice and the report."""
    from components.contracts import run_result
    from components.report.page import verdict

    state = run_result.state(result)
    badge = (
        f"<b style='background:{page.COLOURS.get(state, '#57606a')};color:#fff;padding:2px 10px;border-radius:10px'>"
        f"{state}</b>"
    )
    parts = [
        f"<p style='font-size:115%;margin:4px 0'>{badge} &nbsp;<b>{html.escape(result.name)}</b>: "
        f"{html.escape(verdict(result)['title'])}</p>",
        _list(result.why),
        _metrics(result.metrics),
        findings.table(result.findings) if result.findings else "",
        _list(result.advice),
        f"<p style='opacity:.75;margin:4px 0'>run {html.escape(result.run_id)}, data {html.escape(result.source)}</p>",
        _report(result.report),
    ]
    return "\n".join(filter(None, parts))


def _list(lines: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def _metrics(measured: dict[str, Any] | None) -> str:
    if measured is None:
        return ""
    from components.contracts import checks
    from components.contracts.metrics import METRICS

    rows = []
    for name, metric in METRICS.items():
        if name not in measured:
            continue
        value = measured[name]
        estimate = value if isinstance(value, dict) else {"value": value}
        interval = f"{metric.format(estimate['low'])} to {metric.format(estimate['high'])}" if "low" in estimate else ""
        before = (measured["baseline"] or {}).get(name)
        cells = [metric.format(estimate["value"]), interval, metric.format(before) if before is not None else ""]
        title = html.escape(metric.definition, quote=True)
        rows.append(
            f"<tr><td style='text-align:left' title='{title}'>{html.escape(metric.label)}</td>"
            + "".join(f"<td style='text-align:right'>{cell}</td>" for cell in cells)
            + "</tr>"
        )
    guessed, share = checks.majority(measured)
    head = f"<tr><th></th><th>test</th><th>{measured['confidence']:.0%} interval</th><th>baseline</th></tr>"
    note = (
        f"<p style='opacity:.75;margin:4px 0'>{measured['pictures']:,} test images; always predicting "
        f"{html.escape(repr(guessed))} would be right for {share:.2%}</p>"
    )
    return f"<table>{head}{''.join(rows)}</table>{note}"


def _report(path: str | None) -> str:
    """Return the report in a frame, or where it is if it is too large to be stored in a notebook."""
    if path is None:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return ""
    if len(text) > LARGEST:
        return f"<p>The report is too large for a notebook: {html.escape(path)}</p>"
    return page.embedded(text)
