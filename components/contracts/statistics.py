"""TFDV's statistics of each split, as StatisticsGen writes them. Read without TFDV, whose import takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from components import files

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics

STATISTICS_FILE = "FeatureStats.pb"  # in the folder of each split; the name is TFX's


class Moments(NamedTuple):
    """The mean and the standard deviation of a numeric feature."""

    mean: float
    deviation: float


def path(statistics: str, split: str) -> str:
    """Return the path of the statistics of a split in the artifact at `statistics`."""
    return f"{statistics}/Split-{split}/{STATISTICS_FILE}"


def read(path: str) -> DatasetFeatureStatistics:
    """Read a file of statistics, of a split or of the data that was accepted before."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(files.read_bytes(path)).datasets
    return dataset


def numeric(path: str) -> dict[str, Any]:
    """Read the NumericStatistics of each numeric feature in a file of statistics."""
    features = read(path).features
    return {of.path.step[0]: of.num_stats for of in features if of.HasField("num_stats") and of.path.step}


def moments(statistics: str, split: str) -> dict[str, Moments]:
    """Read the moments of the numeric features of a split; empty if it has no statistics."""
    file = path(statistics, split)
    if not files.exists(file):
        return {}
    return {name: Moments(of.mean, of.std_dev) for name, of in numeric(file).items()}
