"""Image statistics: TFDV's of each split, and those of train compared with the earlier data's train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from markupsafe import Markup

from components import files
from components.contracts import features as f
from components.contracts import statistics as stats
from components.contracts.findings import TRAIN_STATISTICS_FILE
from components.report import charts

MEASURES = {
    f.HEIGHT: "height (pixels)",
    f.WIDTH: "width (pixels)",
    f.NUM_BYTES: "encoded size (bytes)",
    f.BRIGHTNESS: "brightness (mean luma)",
    f.CONTRAST: "contrast (deviation of luma)",
    f.SHARPNESS: "sharpness (difference of neighbours)",
    f.COLOURFULNESS: "colourfulness",
}
NOW, BEFORE = "now", "before"

Numbers = dict[str, Any]  # NumericStatistics by feature


class Measure(NamedTuple):
    """An image statistic, compared between splits or between two data sets."""

    name: str
    label: str
    sets: Numbers  # by split, or by NOW and BEFORE
    chart: Markup | None


def by_split(folder: str) -> list[Measure]:
    """Return the numbers of each measure by split, and a chart unless all images have the same value."""
    paths = {split: stats.path(folder, split) for split in f.SPLITS}
    return _compared({split: stats.numeric(path) for split, path in paths.items() if files.exists(path)}, "by split")


def drift(folder: str, previous: str) -> list[Measure]:
    """Compare the train split now with that of the last data that passed the gate (the artifact at `previous`)."""
    paths = {BEFORE: f"{previous}/{TRAIN_STATISTICS_FILE}", NOW: stats.path(folder, f.TRAIN)}
    if not all(files.exists(path) for path in paths.values()):
        return []
    return _compared({name: stats.numeric(path) for name, path in paths.items()}, "before and now")


def _compared(sets: Mapping[str, Numbers], words: str) -> list[Measure]:
    rows = []
    for name, label in MEASURES.items():
        values = {key: numbers[name] for key, numbers in sets.items() if name in numbers}
        if values:
            chart = _histograms(f"histograms of {label} {words}", values)
            rows.append(Measure(name, label, values, chart))
    return rows


def _histograms(name: str, sets: Numbers) -> Markup | None:
    drawn: dict[str, charts.Points] = {}
    for key, numbers in sets.items():
        standard = next((h for h in numbers.histograms if h.type == h.STANDARD), None)
        buckets = [b for b in standard.buckets if b.high_value > b.low_value] if standard else []
        total = sum(bucket.sample_count for bucket in buckets)
        if total:
            edges = [buckets[0].low_value, *(bucket.high_value for bucket in buckets)]
            drawn[key] = (edges, [bucket.sample_count / total for bucket in buckets])
    return charts.histograms(name, drawn) if drawn else None
