"""What the pictures are like: TFDV's statistics of each split, and of train beside the train of the data before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.dsl.io import fileio

from components.contracts import features as f
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
BEFORE_FILE = "train_statistics.pb"  # of the data that was accepted before, as the gate keeps it
NOW, BEFORE = "now", "before"

Numbers = dict[str, Any]  # NumericStatistics by feature


def by_split(folder: str) -> list[dict[str, Any]]:
    """Of each measure its numbers by split, and a chart unless every picture has the same."""
    paths = {split: _of_split(folder, split) for split in f.SPLITS}
    return _compared({split: _read(path) for split, path in paths.items() if fileio.exists(path)}, "by split")


def drift(folder: str, previous: str) -> list[dict[str, Any]]:
    """The same of the train split, now and in the data that passed the gate before (the artifact at `previous`)."""
    paths = {BEFORE: os.path.join(previous, BEFORE_FILE), NOW: _of_split(folder, f.TRAIN)}
    if not all(fileio.exists(path) for path in paths.values()):
        return []
    return _compared({name: _read(path) for name, path in paths.items()}, "before and now")


def _of_split(folder: str, split: str) -> str:
    return os.path.join(folder, f"Split-{split}", "FeatureStats.pb")


def _read(path: str) -> Numbers:
    with fileio.open(path, "rb") as file:
        listed = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read())
    features = listed.datasets[0].features
    return {feature.path.step[0]: feature.num_stats for feature in features if feature.HasField("num_stats")}


def _compared(sets: Mapping[str, Numbers], words: str) -> list[dict[str, Any]]:
    shown = []
    for name, label in MEASURES.items():
        found = {key: numbers[name] for key, numbers in sets.items() if name in numbers}
        if found:
            chart = _histograms(f"histograms of {label} {words}", found)
            shown.append({"name": name, "label": label, "sets": found, "chart": chart})
    return shown


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
