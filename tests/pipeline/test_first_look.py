"""The preset where none is named: by the data set, the network, the images, and the run directory's latest training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.contracts import run_result
from components.contracts.run_result import Result
from components.errors import UserError
from pipeline import config as configs
from pipeline import layers
from pipeline.cli import main
from pipeline.first_look import PHOTO_SIDE, Choice
from tests.datasets import png, write_folder
from tests.example_gen import datasets, http_server

PROJECT = "vertex.project=my-project"


def images(folder: Path, side: int, count: int = 5) -> Path:
    for name in ("cat", "dog"):
        for i in range(count):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / f"{side}-{i}.png").write_bytes(png(np.full((side + 40, side, 3), i, np.uint8)))
    return folder


def choose(*settings: str, preset: str | None = None) -> Choice:
    return configs.choose(preset, None, settings)


def trained(run_dir: Path, run_id: str, name: str, preset: str, *stages: str) -> None:
    """Write the result of a run as it ends."""
    folder = run_dir / "runs" / run_id
    folder.mkdir(parents=True)
    states = {stage: {"state": "done", "seconds": 1.0} for stage in stages}
    result = Result(run_id, name, "", 0, "", "", states, preset=preset)
    run_result.write(folder / run_result.RESULT_FILE, result)


def test_the_images_choose_and_it_is_said_why(tmp_path: Path) -> None:
    pets = images(tmp_path / "pets", PHOTO_SIDE)
    choice = choose(f"data.source={pets}")
    assert choice == Choice("photos", "10 images, the median shorter side is 96 pixels (another: --preset small)")
    config, origins = configs.load(None, None, (f"data.source={pets}",))
    assert (config.preset, config.name, config.transform.size) == ("photos", "pets", 224)
    assert origins["trainer.network"] == "preset photos"
    icons = images(tmp_path / "icons", PHOTO_SIDE - 1)
    choice = choose(f"data.source={icons}")
    assert choice == Choice("small", "10 images, the median shorter side is 95 pixels (another: --preset photos)")
    config, _ = configs.load(None, None, (f"data.source={icons}",))
    assert (config.preset, config.name, config.transform.size) == ("small", "icons", 64)


def test_what_the_user_says_is_not_asked_of_the_images(tmp_path: Path) -> None:
    data = f"data.source={images(tmp_path / 'pets', 200)}"
    assert choose(data, preset="small") == Choice("small")
    assert choose(data, "preset=cifar10-fast") == Choice("cifar10-fast")
    assert choose() == choose("data.source=digits") == Choice("digits")
    assert choose("data.source=cifar10") == Choice("cifar10")
    assert choose(data, "trainer.network=efficientnet_lite0") == Choice("photos")
    assert choose(data, "trainer.network=my_networks.py:small_cnn") == Choice("small")
    # Commands that set what one of the networks alone reads still mean that network.
    assert choose(data, "trainer.width=8") == choose(data, "tuner.space={width: [8, 64]}") == Choice("small")
    assert choose(data, "trainer.fine_tune=none") == Choice("photos")
    assert choose(data, "trainer.epochs=2", "transform.size=128").preset == "photos"


def test_a_run_directory_keeps_the_preset_of_its_latest_training(tmp_path: Path) -> None:
    runs, pets = tmp_path / "runs", images(tmp_path / "pets", 32)
    words = (f"data.source={pets}", f"run_dir={runs}")
    assert choose(*words).preset == "small"
    trained(runs, "1", "pets", "folder", "ExampleGen", "Trainer")
    assert choose(*words).reason.endswith("is 32 pixels (another: --preset photos)")
    images(pets, 300, count=9)  # now most images are photos
    assert choose(*words) == Choice(
        "small",
        f"kept from the latest training of 'pets' in {runs}; 28 images, the median shorter side is 300 pixels: "
        "--preset photos may be better",
    )
    assert choose(words[0], f"run_dir={tmp_path / 'others'}").preset == "photos"
    assert choose(*words, "name=pets2").preset == "photos"
    trained(runs, "2", "pets2", "photos", "Trainer")
    trained(runs, "3", "pets", "photos", "ExampleGen")  # it never got to train
    assert choose(*words).preset == "small"
    trained(runs, "4", "pets", "photos", "Trainer")
    assert choose(*words).reason.endswith("is 300 pixels (another: --preset small)")
    (runs / "runs" / "4" / run_result.RESULT_FILE).write_text("{")
    assert choose(*words).preset == "small"


def test_what_cannot_be_looked_at_gets_the_documented_default(tmp_path: Path) -> None:
    for source, state in (("gs://bucket/pets", "remote"), ("https://example.com/pets.zip", "not downloaded yet")):
        choice = choose(f"data.source={source}")
        assert choice.preset == "small"
        assert choice.reason == f"the images are {state}, so nothing is known of their size (another: --preset photos)"
        assert choice.fetch == (state != "remote")
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "1.jpg").write_bytes(b"")
    reason = "none of the first 2 images can be read (another: --preset photos)"
    assert choose(f"data.source={tmp_path / 'pets'}") == Choice("small", reason)
    assert choose(f"data.source={tmp_path / 'pets'}", "data.max_bytes=many") == Choice("small")
    with pytest.raises(UserError, match=r"^config key 'data.max_bytes' = 'many' \(--set\)"):
        configs.load(None, None, (f"data.source={tmp_path / 'pets'}", "data.max_bytes=many"))


def test_the_name_that_small_had_before_still_works(tmp_path: Path) -> None:
    pets = images(tmp_path / "pets", 32)
    config, origins = configs.load("folder", None, (f"data.source={pets}",))
    assert (config.preset, config.name, origins["name"]) == ("small", "pictures", "preset small")
    assert "folder" not in layers.preset_names()
    stored = tmp_path / "config.yaml"  # of an earlier run
    stored.write_text(f"name: pets\npreset: folder\ndata: {{source: {pets}}}\n")
    config, _ = configs.load(None, str(stored))
    assert (config.preset, config.name) == ("small", "pets")


def test_run_says_it_first_and_config_beside_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pets = write_folder(tmp_path / "pets", train=2, test=1)
    words = ["--data", str(pets), "--run-dir", str(tmp_path / "runs")]
    reason = "9 images, the median shorter side is 32 pixels (another: --preset photos)"
    assert main(["run", *words, "--from", "Trainer"]) == 2
    out, err = capsys.readouterr()
    assert out == f"preset    small: {reason}\n"
    assert err.startswith("error: --from Trainer: no previous run")
    assert main(["run", *words, "--from", "Trainer", "--json"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0]) == ("", f"preset    small: {reason}")
    assert main(["config", *words]) == 0
    assert f"# {reason}" in capsys.readouterr().out
    assert main(["run", *words, "--from", "Trainer", "--preset", "small"]) == 2
    assert capsys.readouterr().out == ""


def test_run_downloads_first_and_looks_then(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    images(tmp_path / "pets", 200)
    content: dict[str, bytes | None] = {
        str(file.relative_to(tmp_path)): file.read_bytes() for file in (tmp_path / "pets").rglob("*.png")
    }
    where = ["--run-dir", str(tmp_path / "runs"), "--set", f"data.cache_dir={tmp_path / 'cache'}"]
    with http_server.running() as server:
        server.files["/pets.zip"] = datasets.zip_bytes(content), {}
        words = ["--data", f"{server.url}/pets.zip", *where]
        assert main(["config", *words]) == 0
        assert "not downloaded yet" in capfd.readouterr().out
        assert server.asked == []
        assert main(["run", *words, "--from", "Trainer"]) == 2
        *downloading, last = capfd.readouterr().out.splitlines()
        assert downloading[0].startswith("downloading pets.zip: ")
        assert last == "preset    photos: 10 images, the median shorter side is 200 pixels (another: --preset small)"
        assert main(["run", *words, "--from", "Trainer"]) == 2
        assert capfd.readouterr().out.splitlines() == [last]
        assert len(server.asked) == 1
        assert main(["run", "--data", f"{server.url}/none.zip", *where]) == 2
        assert "the server answers 404" in capfd.readouterr().err


@pytest.mark.parametrize("words", [("compile",), ("submit", "--set", PROJECT), ("schedule", "--cron", "0 3 * * 1")])
def test_on_vertex_a_preset_is_needed(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vertex", *words, "--set", PROJECT, "--data", "gs://bucket/pets"]) == 2
    assert capsys.readouterr().err == (
        "error: data.source 'gs://bucket/pets' is not looked at before a run on Vertex AI: choose --preset photos "
        "(pretrained) or --preset small (from scratch)\n"
    )
