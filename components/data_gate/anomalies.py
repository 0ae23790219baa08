"""Schema anomalies, distances between splits and from the earlier data, and classes missing in train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.contracts import features as f
from components.contracts import schema as schemas
from components.contracts import statistics as stats
from components.contracts.findings import ANOMALIES, KEPT, TRAIN_STATISTICS_FILE, WARN, Finding
from components.data_gate.messages import SHOWN, finding, image_count, one_line, quote

COMPARABLE = 100  # images; the distributions of fewer differ by chance alone

_CORRECT = "Correct the data, or the schema where the data is right"


def schema_anomalies(anomalies: str, action: str) -> Iterator[Finding]:
    """Yield ExampleValidator's anomalies, of its artifact at `anomalies`."""
    for split in f.SPLITS:
        yield from _in_words(split, schemas.read_anomalies(schemas.anomalies_path(anomalies, split)), action)


def distances(statistics: str, schema: str, previous: str | None, action: str) -> Iterator[Finding]:
    """Yield features whose distributions differ too much, by the schema's comparators; of COMPARABLE images or more.

    Args:
      statistics: the artifact with those of each split.
      schema: the artifact. Its skew_comparators compare train with each other split, its drift_comparators train with
        `previous`.
      previous: the findings of the data that was accepted before; None where there is none.
      action: "stop" or "warn".
    """
    rules = schemas.read(schemas.path(schema))
    splits = {split: tfdv.load_stats_binary(stats.path(statistics, split)) for split in f.SPLITS}
    train = splits.pop(f.TRAIN)
    if _count(train) < COMPARABLE:
        return
    for split, statistics_of_split in splits.items():
        if _count(statistics_of_split) < COMPARABLE:
            continue
        skew = tfdv.validate_statistics(train, rules, serving_statistics=statistics_of_split)
        yield from _in_words(f"{f.TRAIN} against {split}", skew, action, comparisons=True)
    earlier = tfdv.load_stats_binary(f"{previous}/{TRAIN_STATISTICS_FILE}") if previous else None
    if earlier is not None and _count(earlier) >= COMPARABLE:
        drift = tfdv.validate_statistics(train, rules, previous_statistics=earlier)
        yield from _in_words(f"{f.TRAIN} against that of the data before", drift, action, comparisons=True)


def _count(statistics: Any) -> int:
    return int(statistics.datasets[0].num_examples)


def _in_words(
    where: str, anomalies: anomalies_pb2.Anomalies, action: str, comparisons: bool = False
) -> Iterator[Finding]:
    """Yield all anomalies, or with `comparisons` only those of comparators: the others are reported separately."""
    infos = sorted(anomalies.anomaly_info.items())
    if anomalies.HasField("dataset_anomaly_info"):
        infos.append(("the whole split", anomalies.dataset_anomaly_info))
    for name, info in infos:
        feature = ".".join(info.path.step) or name
        # Comparators also report what ExampleValidator reports; the reasons distinguish them.
        for reason in info.reason or [info]:
            if comparisons and not _is_comparison(reason):
                continue
            short, long = one_line(reason.short_description), one_line(reason.description)
            text = f"{where}: {one_line(feature)}: {short}: {long}".rstrip(".")
            example = {"where": where, "feature": feature, "short": short, "description": long}
            yield finding(ANOMALIES, action, f"{text}.", _CORRECT, 1, [example])


def _is_comparison(reason: Any) -> bool:
    return anomalies_pb2.AnomalyInfo.Type.Name(reason.type).startswith("COMPARATOR_")


def missing_classes(counts: Mapping[str, Mapping[str, int]], action: str) -> Iterator[Finding]:
    """Yield splits without images, classes that train lacks, and (as a warning) classes that only train has.

    `counts` holds the images of each class of each split.

    The schema does not check this: an inferred one lists no classes if there are more than 100, and a curated one
    requires no class.
    """
    for split in f.SPLITS:
        if not sum(counts.get(split, {}).values()):
            yield finding(ANOMALIES, action, f"{split} has no images.", "Add some, or change data.splits", 0)
    train = counts.get(f.TRAIN, {})
    for split in (f.VALIDATION, f.TEST):
        for name, count in sorted(counts.get(split, {}).items()):
            if count and not train.get(name):
                message = f"Class {quote(name)} has {image_count(count)} in {split} and none in train."
                example = {"class_name": name, "split": split}
                yield finding(ANOMALIES, action, message, "Add some to train, or remove the class", count, [example])
        unmeasured = [name for name, count in train.items() if count and not counts.get(split, {}).get(name)]
        if unmeasured and any(counts.get(split, {}).values()):
            named = ", ".join(quote(name) for name in unmeasured[:SHOWN]) + (", ..." if len(unmeasured) > SHOWN else "")
            single = len(unmeasured) == 1
            subject, pronoun = ("class ", "it") if single else (f"{len(unmeasured):,} classes: ", "them")
            examples = [{"class_name": name, "split": split} for name in unmeasured[:KEPT]]
            message = f"{split} has no image of {subject}{named}, which train has, and cannot measure {pronoun}."
            advice = f"Add images to {split}; where that is cut out of train, a class needs 3 different ones"
            yield finding(ANOMALIES, WARN, message, advice, len(unmeasured), examples)
