"""A pretrained network goes through the whole chain: its normalisation, its weights and their licence with it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from components.contracts import training
from components.trainer import networks
from components.trainer.transform_graph import TransformGraph
from pipeline.cli import main
from tests.datasets import write_folder
from tests.runs import artifact
from tests.test_download import Server, running_server
from tests.trainer.networks.test_applications import of_keras, publish

__all__ = ["running_server"]

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

    assert main(["lineage", "--run-dir", str(runs), "--set=name=images"]) == 0
    lineage = capfd.readouterr().out
    assert "weights   began with EfficientNet-Lite0, ImageNet, licence Apache-2.0" in lineage
    assert f"sha256:{record.pretrained.sha256}" in lineage

    assert main([*command, "--set=trainer.weights=nowhere.pth"]) == 2
    assert "trainer.weights: cannot read nowhere.pth: No such file" in capfd.readouterr().err
    assert main([*command, "--set=trainer.width=8"]) == 2
    assert "only the network airbench reads it, not efficientnet_lite0" in capfd.readouterr().err


def test_the_weights_of_keras_are_downloaded_before_the_first_stage(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """From a server of this machine: random weights in the published layout."""
    name = "mobilenet_v3_large"
    content = publish(of_keras(name), tmp_path / "published.h5").read_bytes()
    images, runs = write_folder(tmp_path / "images", train=20, test=10), tmp_path / "runs"
    traits = networks.NETWORKS[name]
    pretraining = traits.pretraining
    assert pretraining is not None

    def published_at(url: str) -> None:
        published = pretraining._replace(source=f"{url}/own.h5", md5=hashlib.md5(content).hexdigest())
        monkeypatch.setitem(networks.NETWORKS, name, traits._replace(pretraining=published))

    command = ["run", "--json", "--to", "Trainer", "--preset", "photos", "--data", str(images), "--run-dir", str(runs)]
    values = {"trainer.network": name, "transform.size": 32, "data.cache_dir": str(tmp_path / "cache")}
    command += [f"--set={key}={value}" for key, value in values.items()]
    published_at("http://127.0.0.1:9")
    assert main(command) == 2
    result = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert result["why"][0].startswith("trainer.weights: cannot download http://127.0.0.1:9/own.h5")
    assert not result["stages"]

    server.content = content
    published_at(f"http://127.0.0.1:{server.server_port}")
    assert main(command) == 0, capfd.readouterr().err
    assert server.asked == [None]
    record = training.read(artifact(runs, "Trainer", "model_run").uri)
    assert record.pretrained is not None
    assert record.pretrained.sha256 == hashlib.sha256(content).hexdigest()
    assert record.pretrained.licence == "Apache-2.0, of the original weights"
