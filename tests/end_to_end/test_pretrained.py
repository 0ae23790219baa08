"""A pretrained network goes through the whole chain: its normalisation, its weights and their licence with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.contracts import training
from components.trainer.transform_graph import TransformGraph
from pipeline.cli import main
from tests.datasets import write_folder
from tests.runs import artifact

pytestmark = pytest.mark.slow


def test_it_is_pushed_and_says_what_it_began_with(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    images, runs = write_folder(tmp_path / "images", train=20, test=10), tmp_path / "runs"
    command = ["run", "--json", "--preset", "photos", "--data", str(images), "--run-dir", str(runs)]
    settings = ("transform.size=32", "trainer.fine_tune=none", "trainer.flip=false", "evaluator.min_class_recall=0")
    assert main([*command, *(f"--set={setting}" for setting in settings)]) == 0, capfd.readouterr().err
    result = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (result["name"], result["blessed"]) == ("images", True)

    scale, shift = TransformGraph(artifact(runs, "Transform", "transform_graph").uri, 32).scale_and_shift()
    assert np.allclose(scale, 1 / 128)
    assert np.allclose(shift, -127 / 128)
    record = training.read(artifact(runs, "Trainer", "model_run").uri)
    assert [epoch.epoch for epoch in record.epochs] == [0]
    assert record.pretrained is not None
    assert record.pretrained.licence == "Apache-2.0"

    page = Path(result["report"]).read_text()
    assert "It began with the weights EfficientNet-Lite0, ImageNet" in page
    assert main(["card", "--run-dir", str(runs)]) == 0
    card = Path(capfd.readouterr().out.split()[-1]).read_text()
    assert record.pretrained.sha256 in card
    assert "licence Apache-2.0" in card

    assert main([*command, "--set=trainer.weights=nowhere.pth"]) == 2
    assert "trainer.weights: cannot read nowhere.pth: No such file" in capfd.readouterr().err
    assert main([*command, "--set=trainer.width=8"]) == 2
    assert "only the network airbench reads it, not efficientnet_lite0" in capfd.readouterr().err
