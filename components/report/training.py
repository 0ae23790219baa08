"""The section `training` of the report, from the record that the Trainer writes."""

from __future__ import annotations

import math
from typing import Any

from components.contracts import advice, training
from components.contracts import features as f
from components.report import augmentation, charts
from components.report.run import TRAINING, Run


def view(run: Run) -> dict[str, Any] | None:
    """Return what the template shows; None if nothing was trained."""
    folder = run.artifacts.get(TRAINING)
    if folder is None and not run.result.epochs:
        return None
    if folder is None:
        record = training.Training([training.Epoch(**epoch) for epoch in run.result.epochs], "", None)
    else:
        record = training.read(folder)
    epochs = [epoch.measured() for epoch in record.epochs]
    rows: list[tuple[int, dict[str, float]]] = []
    for number, epoch in enumerate(epochs, start=int(epochs[0]["epoch"])):
        if rows and epoch["epoch"] == epochs[0]["epoch"]:
            rows.append((number, {}))  # a gap between the networks of an ensemble
        rows.append((number, epoch))
    x = [number for number, _ in rows]

    def chart(title: str, unit: str, percent: bool = False, **series: str) -> dict[str, Any]:
        named = {label: key for label, key in series.items() if key in epochs[0]}
        points = {label: (x, [epoch.get(key, math.nan) for _, epoch in rows]) for label, key in named.items()}
        return {"title": title, "svg": charts.lines(f"{title} by epoch", points, "epoch", percent, y_label=unit)}

    return {
        "epochs": epochs,
        "ended": folder is not None,
        "networks": epochs[-1].get("network", 1),
        "trials": run.result.trials,
        "trained": sum(epoch["epoch"] > 0 for epoch in epochs),
        "best": max(epochs, key=_quality),
        "seconds": sum(epoch["seconds"] for epoch in epochs),
        "gap": folder and advice.gap(record, (run.result.counts or {}).get(f.VALIDATION, 0)),
        "parameters": record.parameters,
        "class_weights": record.class_weights and _ends(record.class_weights),
        "pretrained": record.pretrained,
        "budget": record.budget and record.budget.text(record.pretrained is not None),
        "kept": max((epoch for epoch in epochs if epoch.get("kept")), key=_quality, default=None),
        "summary": record.summary.strip(),
        "setup": record.setup,
        "samples": folder and augmentation.view(folder, record.setup),
        "charts": [
            chart("Accuracy", "share of the images", percent=True, train="accuracy", validation="val_accuracy"),
            chart("Loss", "nats", train="loss", validation="val_loss"),
            chart("Learning rate", "", rate="learning_rate"),
            chart("Speed", "images per second", pictures="pictures_per_second"),
        ],
    }


def _quality(epoch: dict[str, float]) -> tuple[float, float]:
    """Return what the best epoch has most of, as components/trainer/best.py chooses it."""
    return epoch["val_accuracy"], -epoch["val_loss"]


def _ends(weights: training.ClassWeights) -> dict[str, Any]:
    """Return the kind of the weights, and the classes that weigh least and most: (name, weight)."""
    by_weight = sorted(weights.of_class.items(), key=lambda of_class: of_class[1])
    return {"kind": weights.kind, "least": by_weight[0], "most": by_weight[-1]}
