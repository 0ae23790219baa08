"""The findings of the gate in the data of a run."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from image_pipeline import page

if TYPE_CHECKING:
    import pandas as pd

    from components.contracts.findings import Finding


class Findings(list["Finding"]):
    """The findings of a run, each with `kind`, `action` (`stop` or `warn`), `count` of images, `message`, `summary`."""

    def __init__(self, findings: Sequence[Finding] = (), folder: str = "") -> None:
        super().__init__(findings)
        self._folder = folder  # of the run

    @property
    def frame(self) -> pd.DataFrame:
        """Return a row an image that was found: `split`, `class`, `path`, `check`, `action`, `message`.

        It has all rejected images, and the first hundred of each other finding.
        """
        import pandas as pd

        from components.contracts import findings

        path = os.path.join(self._folder, findings.CSV_FILE)
        if not self or not os.path.exists(path):
            return pd.DataFrame(columns=list(findings.COLUMNS))
        return pd.read_csv(path, dtype=str, keep_default_na=False)

    def __repr__(self) -> str:
        return "\n".join(f"{finding.action}: {finding.message}" for finding in self) or "nothing was found"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return page.bundle(repr(self), table(self))


def table(findings: Sequence[Finding]) -> str:
    """Return the findings as an HTML table."""
    if not findings:
        return "<p>The gate found nothing wrong with the data.</p>"
    rows = "".join(
        f"<tr><td style='white-space:nowrap'>{'stops the run' if finding.action == 'stop' else 'warning'}</td>"
        f"<td>{html.escape(finding.kind)}</td>"
        f"<td style='text-align:right'>{finding.count:,}</td>"
        f"<td style='text-align:left'>{html.escape(finding.message)}</td></tr>"
        for finding in findings
    )
    head = "<tr><th></th><th>check</th><th>images</th><th style='text-align:left'>what was found</th></tr>"
    return f"<table>{head}{rows}</table>"
