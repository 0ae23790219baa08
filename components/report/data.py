"""The section `data` of the report, from the artifacts of ExampleGen, StatisticsGen, SchemaGen and DataGate."""

from __future__ import annotations

import itertools
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from components import files
from components.contracts import counts, rejects
from components.contracts import features as f
from components.contracts import schema as schemas
from components.report import findings, statistics, thumbnails
from components.report.run import ANOMALIES, EXAMPLES, PREVIOUS, SCHEMA, STATISTICS, Run

SAMPLES = 8  # images shown a class, fewer where there are many classes
ALL_SAMPLES = 240
FEW_SAMPLES = 60  # of up to so many each is stored large enough to be enlarged
READ = 500  # training images read to find them, at most; they may be photographs of many megabytes
REJECTED = 50  # rows shown


def view(run: Run) -> dict[str, Any] | None:
    """Return what the template shows; None if no data was read."""
    examples = run.artifacts.get(EXAMPLES)
    if examples is None:
        return None
    counted = counts.read(examples)
    classes = counted.class_names
    measured, before = run.artifacts.get(STATISTICS), run.artifacts.get(PREVIOUS)
    each = max(1, min(SAMPLES, ALL_SAMPLES // max(1, len(classes))))
    side = thumbnails.LARGE if each * len(classes) <= FEW_SAMPLES else thumbnails.SMALL
    return {
        "classes": [
            {"name": name, "counts": {split: counted.of_class(split, name) for split in f.SPLITS}} for name in classes
        ],
        "totals": {split: counted.of_split(split) for split in f.SPLITS},
        "samples": thumbnails.of_classes(examples, f.TRAIN, classes, each, READ, side),
        "notes": counted.notes,
        "rejected": _rejected(examples, counted.rejected),
        "measures": statistics.by_split(measured) if measured else [],
        "drift": statistics.drift(measured, before) if measured and before else None,
        "findings": findings.view(run),
        "anomalies": _anomalies(run.artifacts.get(ANOMALIES)),
        "schema": _schema(run.artifacts.get(SCHEMA)),
    }


def _rejected(examples: str, count: int) -> dict[str, Any]:
    _, reasons, rows = rejects.summarise(rejects.read(examples), REJECTED) if count else (0, [], [])
    return {"count": count, "reasons": reasons, "rows": rows}


def _anomalies(anomalies: str | None) -> dict[str, list[dict[str, str]]] | None:
    """Return ExampleValidator's anomalies by split; None if it did not run."""
    if anomalies is None:
        return None
    by_split: dict[str, list[dict[str, str]]] = {}
    for split in f.SPLITS:
        path = schemas.anomalies_path(anomalies, split)
        if files.exists(path):
            parsed = schemas.read_anomalies(path)
            by_split[split] = [
                {"feature": ".".join(info.path.step) or name, "text": f"{info.short_description}: {info.description}"}
                for name, info in sorted(parsed.anomaly_info.items())
            ]
            if parsed.HasField("dataset_anomaly_info"):
                by_split[split].append({"feature": "all", "text": parsed.dataset_anomaly_info.description})
    return by_split


def _schema(schema: str | None) -> list[dict[str, str]]:
    if schema is None:
        return []
    parsed = schemas.read(schemas.path(schema))
    domains = {domain.name: list(domain.value) for domain in parsed.string_domain}
    rows = []
    for feature in parsed.feature:
        values = list(feature.string_domain.value) or domains.get(feature.domain, [])
        distances = [
            f"{kind} at most {rule.threshold:g} ({measure})"
            for kind, comparator in (("skew", feature.skew_comparator), ("drift", feature.drift_comparator))
            for measure, rule in (
                ("Jensen-Shannon", comparator.jensen_shannon_divergence),
                ("largest share", comparator.infinity_norm),
            )
            if rule.threshold
        ]
        rows.append(
            {
                "name": feature.name,
                "type": schema_pb2.FeatureType.Name(feature.type).lower(),
                "domain": _range(feature) or _listed(values),
                "distances": "; ".join(distances),
            }
        )
    return rows


def _range(feature: Any) -> str:
    for name in ("int_domain", "float_domain"):
        if feature.HasField(name):
            domain = getattr(feature, name)
            ends = [f"{getattr(domain, end):g}" if domain.HasField(end) else "any" for end in ("min", "max")]
            return " to ".join(ends)
    return ""


def _listed(values: list[str]) -> str:
    more = f" and {len(values) - 10} more" if len(values) > 10 else ""
    return ", ".join(itertools.islice(values, 10)) + more
