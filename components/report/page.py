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
from components.contracts import checks
from components.contracts.metrics import DEFINITIONS, METRICS
from components.contracts.run_result import STILL_RUNNING, STOPPED, ExitCode, Result
from components.text import printable

TEMPLATES = Path(__file__).parent / "templates"


def write(template: str, path: Path, *, scripts: Sequence[str] = ("report.js",), **values: Any) -> None:
    """Render `template` with `values` to `path`. The same values give the same bytes.

    Args:
      template: a file of the folder of templates.
      path: of the page.
      scripts: the page's JavaScript files of that folder, in their order. Each is a function that calls itself, so that
        joined they are one script, which the page's Content-Security-Policy allows by its hash.
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
    environment.globals["link"] = lambda uri: link(uri, path.parent)
    script = "\n".join(map(_text, scripts))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(template).render(
        style=_text("report.css"), script=script, script_digest=digest, **values
    )
    files.write_atomic(path, page)


def verdict(result: Result) -> dict[str, str]:
    """Say how the run ended: {"kind": one of good, refused, failed, plain; "badge": a word; "title": a few words}."""
    stopped = next((name for name, stage in result.stages.items() if stage["state"] in ("refused", "failed")), None)
    code = result.exit_code
    if code == STILL_RUNNING:  # every gate passed; the model may or may not be pushed yet
        return {"kind": "good", "badge": "blessed", "title": "passed every gate"}
    if code == ExitCode.DONE and result.pushed:
        version, served = result.pushed["version"], result.served
        if served and served["is"] != version:
            title = f"version {version} was pushed, version {served['version']} is served"
        else:
            title = f"served as version {served['version'] if served else version}"
        return {"kind": "good", "badge": "pushed", "title": title}
    if code == ExitCode.DONE:
        last_stage = next(reversed(result.stages), "nothing")
        return {"kind": "plain", "badge": "partial run", "title": f"ended after {last_stage}, as requested"}
    if code == ExitCode.REFUSED and stopped == "DataGate":
        return {"kind": "refused", "badge": "stopped", "title": "the data cannot be trusted"}
    if code == ExitCode.REFUSED:
        return {"kind": "refused", "badge": "refused", "title": "the model was not pushed"}
    if code in STOPPED:
        return {"kind": "plain", "badge": "interrupted", "title": "stopped by Ctrl-C or a signal"}
    where = f"in {stopped}" if stopped else "before the first stage"
    return {
        "kind": "failed",
        "badge": "failed" if code == ExitCode.FAILED else "mistake",
        "title": f"the run failed {where}",
    }


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
