"""Page rendering: a self-contained HTML file from a template that extends base.html."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from components import files
from components.contracts import checks, run_result
from components.contracts.metrics import DEFINITIONS, METRICS
from components.contracts.run_result import Result
from components.report import contents
from components.text import printable

TEMPLATES = Path(__file__).parent / "templates"


SCRIPTS = ("report.js", "tables.js", "lightbox.js")  # of every page


def write(template: str, path: Path, *, scripts: Sequence[str] = (), **values: Any) -> None:
    """Render `template` with `values` to `path`. The same values give the same bytes.

    Args:
      template: a file of the folder of templates.
      path: of the page.
      scripts: JavaScript files of that folder that the page needs beside SCRIPTS, in their order. Each is a function
        that calls itself, so that joined they are one script, which the page's Content-Security-Policy allows by its
        hash.
      **values: variables of the template.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(),  # all but the Markdown of a model card, which has a filter of its own
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"pct": percent, "count": count, "printable": printable, "size": size, "md": markdown}
    environment.globals |= {"METRICS": METRICS, "DEFINITIONS": DEFINITIONS}
    environment.globals["majority"] = checks.majority
    environment.globals["folder"] = ""
    environment.globals["link"] = lambda uri: link(uri, path.parent)
    script = "\n".join(map(_text, dict.fromkeys((*SCRIPTS, *scripts))))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(template).render(
        style=_text("report.css"), script=script, script_digest=digest, **values
    )
    files.write_atomic(path, contents.insert(page))


def verdict(result: Result) -> dict[str, str]:
    """Say how the run ended: {"kind": good, refused, failed or plain; "badge": its state; "title": a few words}."""
    badge = run_result.state(result)
    kinds = {
        run_result.PUSHED: "good",
        run_result.RUNNING: "good",  # the page is a stage's: every gate passed
        run_result.REFUSED: "refused",
        run_result.FAILED: "failed",
    }
    return {"kind": kinds.get(badge, "plain"), "badge": badge, "title": _title(result, badge)}


def _title(result: Result, state: str) -> str:
    stopped = next((name for name, stage in result.stages.items() if stage["state"] in ("refused", "failed")), None)
    if state == run_result.RUNNING:  # the model may or may not be pushed yet
        return "passed every gate"
    if result.pushed and state == run_result.PUSHED:
        version, served = result.pushed["version"], result.served
        if served and served["is"] != version:
            return f"version {version} was pushed, version {served['version']} is served"
        return f"served as version {served['version'] if served else version}"
    if state == run_result.PARTIAL:
        return f"ended after {next(reversed(result.stages), 'nothing')}, as requested"
    if state == run_result.REFUSED:
        return "the data cannot be trusted" if stopped == "DataGate" else "the model was not pushed"
    if state == run_result.INTERRUPTED:
        return "stopped by Ctrl-C or a signal"
    return f"the run failed in {stopped}" if stopped else "the run failed before the first stage"


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def link(uri: str, folder: Path) -> str | None:
    """Return a relative link to a local file or folder, so that a run directory may be moved; None for others."""
    if "://" in uri or not uri:
        return None
    return quote(os.path.relpath(uri, folder))


def percent(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}%}"


def count(value: float) -> str:
    return f"{value:,.0f}"


def size(value: float) -> str:
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def markdown(text: str, limit: int = 100) -> str:
    """Return `text` for Markdown: printable, with all special characters escaped."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>#!|~&$" else c for c in printable(text, limit))
