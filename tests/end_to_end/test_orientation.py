"""A folder of photos as a phone writes them, turned by EXIF and large: the answers are those of the upright images."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from components.contracts import features
from components.contracts.run_result import Result
from components.example_gen import images
from pipeline.cli import main
from tests.example_gen.factories import orientation, saved
from tests.runs import LENIENT, artifact, run

pytestmark = pytest.mark.slow

MAX_SIDE = 60
# What turns an upright image into the one that a camera stores with the orientation, from 1 to 8.
TURNS = (
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_90,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_270,
)


def drawn(name: str, seed: int, height: int = 36, width: int = 48) -> Image.Image:
    """Return an image whose class is the side that is bright."""
    pixels = np.random.default_rng(seed).integers(0, 120, (height, width, 3), np.uint8)
    bright = {"top": pixels[: height // 2], "left": pixels[:, : width // 2]}[name]
    bright += 100
    return Image.fromarray(pixels)


def write(root: Path, turned: bool) -> Path:
    """Write PNG files, which lose nothing: 24 of each class, three of each orientation if `turned`."""
    for offset, name in enumerate(("left", "top")):
        (root / name).mkdir(parents=True)
        for i in range(24):
            upright, turn = drawn(name, 100 * offset + i), TURNS[i % 8] if turned else None
            image = upright if turn is None else upright.transpose(turn)
            raw = saved(image, "PNG", exif=orientation(i % 8 + 1)) if turned else saved(image, "PNG")
            (root / name / f"{i:02d}.png").write_bytes(raw)
    return root


def asked(capfd: pytest.CaptureFixture[str], run_dir: Path, path: Path, *words: str) -> list[dict[str, float]]:
    """Return the probabilities that `predict` prints of each image."""
    capfd.readouterr()
    assert main(["predict", str(path), "--run-dir", str(run_dir), "--json", *words]) == 0
    return [json.loads(line)["probabilities"] for line in capfd.readouterr().out.splitlines()]


def served(version: str, image: bytes) -> dict[str, float]:
    """Return the probabilities that the model gives for an encoded image."""
    import tensorflow as tf

    answer = tf.saved_model.load(version).signatures[features.SERVE_IMAGES](tf.constant([image]))
    names = [name.decode() for name in answer[features.CLASS_NAMES].numpy()[0]]
    return dict(zip(names, answer[features.PROBABILITIES].numpy()[0].tolist()))


def test_a_turned_folder_is_answered_like_the_upright_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results: dict[str, Result] = {}
    weights: dict[str, list[np.ndarray]] = {}
    for kind, last in (("turned", None), ("upright", "Evaluator")):
        photos, runs = write(tmp_path / kind / "photos", turned=kind == "turned"), tmp_path / kind / "runs"
        results[kind] = run(runs, photos, *LENIENT, "trainer.epochs=3", f"data.max_side={MAX_SIDE}", last=last)
        assert results[kind].exit_code == 0, results[kind].why
        trained = Path(artifact(runs, "Trainer", "model_run").uri)
        weights[kind] = keras.saving.load_model(trained / "model.keras").get_weights()
    turned, upright = results["turned"], results["upright"]
    assert any("42 images were turned upright" in note for note in turned.notes)
    assert (turned.counts, turned.metrics) == (upright.counts, upright.metrics)
    for one, other in zip(*weights.values(), strict=True):
        np.testing.assert_array_equal(one, other)
    model = tmp_path / "turned" / "runs"
    answers = [asked(capfd, model, tmp_path / kind / "photos") for kind in results]
    assert answers[0] == answers[1]
    assert len(answers[0]) == 48

    # A photo that is larger than `data.max_side` is read by `predict` as by the ExampleGen of the model's data.
    large = tmp_path / "large.jpg"
    large.write_bytes(saved(drawn("top", 7, 3000, 2000), "JPEG", exif=orientation(6)))
    assert turned.pushed
    limits, version = (10**8, 10**8), turned.pushed["path"]
    expected = served(version, images.canonical_bytes(large.read_bytes(), *limits, MAX_SIDE))
    assert asked(capfd, model, large) == asked(capfd, model, large, "--model", version) == [expected]
    whole = served(version, images.canonical_bytes(large.read_bytes(), *limits, 1024))
    assert asked(capfd, tmp_path / "none", large, "--model", version) == [whole]
    assert asked(capfd, model, large, "--set", "data.max_side=1024") == [whole]
    assert whole != expected
