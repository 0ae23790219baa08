"""Means and deviations from the artifact of StatisticsGen, read without TFDV."""

from __future__ import annotations

import os

from components import files


def of_split(statistics: str | None, split: str) -> dict[str, tuple[float, float]]:
    """(mean, standard deviation) of the numeric features of a split; empty where there are no statistics of it."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    path = os.path.join(statistics or "", f"Split-{split}", "FeatureStats.pb")
    if statistics is None or not files.exists(path):
        return {}
    listed = statistics_pb2.DatasetFeatureStatisticsList.FromString(files.read_bytes(path))
    return {
        feature.path.step[0]: (feature.num_stats.mean, feature.num_stats.std_dev)
        for feature in listed.datasets[0].features
        if feature.HasField("num_stats") and feature.path.step
    }
