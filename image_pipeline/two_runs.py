"""Two runs side by side in Python."""

from __future__ import annotations

import functools
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from components.report.comparison import ComparedRun
    from pipeline.config import Config

_COUNTS = ("shared", "a_right", "b_right", "gained", "lost", "p")


class Comparison:
    """Two runs side by side, as `compare` returns them: `a` is the first, `b` the second.

    In a notebook it is shown as the page of `image-pipeline compare --open`.
    """

    def __init__(self, runs: Sequence[ComparedRun]) -> None:
        from components.report.comparison import compare
        from pipeline.output import redirect_output

        self._runs = runs
        with redirect_output(os.devnull):
            self._differences = compare(runs[0], runs[1])

    @property
    def differences(self) -> dict[str, Any]:
        """Return all that differs, as `image-pipeline compare --json` prints it."""
        return self._differences

    @property
    def metrics(self) -> pd.DataFrame:
        """Return a row a metric of the two tests.

        Returns:
          The index is the metric, as `accuracy`. `a` and `b`: its values; `a_low`, `a_high`, `b_low`, `b_high`: their
          intervals; `difference`: b - a, with its interval `difference_low` and `difference_high`, which the accuracy
          alone has. All are float64, NaN where there is none: a difference where the classes are not the same.
          `better`: whether `b` is better, a boolean, NA where neither is.

        Raises:
          UserError: a run evaluated no model.
        """
        import pandas as pd

        columns = ["a", "a_low", "a_high", "b", "b_low", "b_high", "difference", "difference_low", "difference_high"]
        measured = self._measured()
        rows = []
        for row in measured["rows"]:
            ends = (measured["accuracy_interval"] or {}) if row["name"] == "accuracy" else {}
            estimates = [row[side].get(part) for side in ("a", "b") for part in ("value", "low", "high")]
            rows.append([*estimates, row["difference"], ends.get("low"), ends.get("high")])
        names = pd.Index([row["name"] for row in measured["rows"]], name="metric")
        frame = pd.DataFrame(rows, names, columns, dtype="float64")
        return frame.assign(better=pd.array([row["better"] for row in measured["rows"]], dtype="boolean"))

    @property
    def config(self) -> pd.DataFrame:
        """Return a row a setting that differs: its index is the setting, `a` and `b` are its values.

        A run of an earlier version, which did not have the setting, has None.
        """
        import pandas as pd

        rows = self._differences["config"]
        values = {side: [row[side] for row in rows] for side in ("a", "b")}
        return pd.DataFrame(values, pd.Index([row["key"] for row in rows], name="setting", dtype=object), dtype=object)

    @property
    def mcnemar(self) -> dict[str, Any]:
        """Return what McNemar's test compares: the answers of both models to the images that both were tested on.

        Returns:
          `images`: whether the test images are the `same`, `some` of them are, or all are `other` ones; `unknown` where
          a run recorded no answers. `shared`: their number; of them `a_right` and `b_right` are right in each run,
          `gained` in the second alone and `lost` in the first alone. `p`: the p-value, and `significant`: whether it is
          below 1 - confidence of the intervals. Where no image is shared, `shared` is 0 and what follows is None.

        Raises:
          UserError: a run evaluated no model.
        """
        measured = self._measured()
        both = measured["both"]
        p = both.get("p")
        counts = {key: both.get(key) for key in _COUNTS}
        return {
            "images": both["pictures"],
            **counts,
            "significant": None if p is None else p < 1 - measured["confidence"],
        }

    @property
    def text(self) -> str:
        """Return the comparison as text, as `image-pipeline compare` prints it."""
        from pipeline.runs import comparison_text

        text = io.StringIO()
        comparison_text.show(self._runs, self._differences, text)
        return text.getvalue().rstrip()

    def _measured(self) -> dict[str, Any]:
        if self._differences["metrics"] is None:
            why = next(line for line in self._differences["cannot"] if line.startswith("the models:"))
            raise UserError(f"cannot compare {why}; `.text` has what can be compared")
        return dict(self._differences["metrics"])

    @functools.cached_property
    def _page(self) -> str:
        """The page, without links to others, which a notebook has not."""
        from components.report import comparison_page
        from pipeline.output import redirect_output

        with tempfile.TemporaryDirectory() as folder, redirect_output(os.devnull):
            path, nowhere = Path(folder) / "page.html", Path(folder) / "none"
            comparison_page.write(self._differences, self._runs, [nowhere, nowhere], path)
            return path.read_text(encoding="utf-8")

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from image_pipeline import page

        return page.bundle(self.text, page.embedded(self._page))


def of(runs: Sequence[tuple[Config, str]]) -> Comparison:
    """Return the comparison of two runs, each named by its run directory's configuration and its id.

    Raises:
      UserError: there is no such run.
    """
    from pipeline.output import redirect_output
    from pipeline.runs import comparison, run_dir
    from pipeline.tracking import metadata

    folders = [run_dir.find_run(config, run_id) for config, run_id in runs]
    with redirect_output(os.devnull):
        stores = [metadata.known_store(config) for config, _ in runs]
        return Comparison([comparison.collect(store, folder) for store, folder in zip(stores, folders)])
