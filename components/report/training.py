"""The third part of the report: the training, from the record that the Trainer keeps of it."""

from __future__ import annotations

import base64
import json
import math
import os
import re
from typing import Any

from tfx.dsl.io import fileio

from components.report import charts
from components.report.run import TRAINING, Run

HISTORY_FILE, SUMMARY_FILE, SAMPLES_FILE = "history.json", "model_summary.txt", "augmentation.png"


def view(run: Run) -> dict[str, Any] | None:
    """What the template shows; None where nothing was trained."""
    folder = run.artifacts.get(TRAINING)
    if folder is None:
        return None
    epochs = json.loads(_read(os.path.join(folder, HISTORY_FILE)))
    summary = _read(os.path.join(folder, SUMMARY_FILE))
    parameters = re.search(r"Total params:\s*([\d,]+)", summary)
    rows: list[tuple[int, dict[str, float]]] = []
    for number, epoch in enumerate(epochs, start=1):
        if rows and epoch["epoch"] == 1:
            rows.append((number, {}))  # a gap between the networks of an ensemble
        rows.append((number, epoch))
    x = [number for number, _ in rows]

    def chart(title: str, percent: bool = False, **series: str) -> dict[str, Any]:
        named = {label: key for label, key in series.items() if key in epochs[0]}
        points = {label: (x, [epoch.get(key, math.nan) for _, epoch in rows]) for label, key in named.items()}
        return {"title": title, "svg": charts.lines(f"{title} by epoch", points, "epoch", percent)}

    return {
        "epochs": epochs,
        "networks": epochs[-1].get("network", 1),
        "trials": run.result.get("trials", []),
        "best": max(epochs, key=lambda epoch: epoch.get("val_accuracy", 0)),
        "seconds": sum(epoch["seconds"] for epoch in epochs),
        "parameters": int(parameters[1].replace(",", "")) if parameters else None,
        "summary": summary.strip(),
        "augmentation": _picture(os.path.join(folder, SAMPLES_FILE)),
        "charts": [
            chart("Accuracy", percent=True, train="accuracy", validation="val_accuracy"),
            chart("Loss", train="loss", validation="val_loss"),
            chart("Learning rate", rate="learning_rate"),
            chart("Pictures a second", pictures="pictures_per_second"),
        ],
    }


def _read(path: str) -> str:
    with fileio.open(path, "rb") as file:
        return file.read().decode()


def _picture(path: str) -> str | None:
    """A PNG file as a data URI; None where the training left none, as one before this file was thought of."""
    if not fileio.exists(path):
        return None
    with fileio.open(path, "rb") as file:
        return f"data:image/png;base64,{base64.b64encode(file.read()).decode()}"
