"""The runs of a run directory as a DataFrame."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config import Config

_TYPES = {
    "accuracy": "float64",
    "accuracy_low": "float64",
    "accuracy_high": "float64",
    "blessed": "boolean",
    "seconds": "float64",
}
_COLUMNS = (
    "run_id",
    "when",
    "name",
    "data",
    "preset",
    "state",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "blessed",
    "pushed",
    "served",
    "seconds",
)


def frame(config: Config) -> pd.DataFrame:
    """Return a row a run of the run directory, the newest first; image_pipeline.runs says what is in it."""
    import pandas as pd

    from pipeline.output import redirect_output
    from pipeline.runs import listing, run_dir

    with redirect_output(os.devnull):
        rows = listing.rows(config)[::-1]
    for row in rows:
        accuracy = row["accuracy"] or {}
        row |= {"accuracy": accuracy.get("value"), "when": run_dir.started(row["run_id"])}
        row |= {f"accuracy_{end}": accuracy.get(end) for end in ("low", "high")}
        row["served"] = (row["served"] or {}).get("version")
    listed = pd.DataFrame(rows, columns=_COLUMNS, dtype=object)
    listed["when"] = pd.to_datetime(listed["when"])
    return listed.astype(_TYPES).set_index("run_id")
