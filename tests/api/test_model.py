"""Models that answer in Python."""

from __future__ import annotations

import io
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import image_pipeline as ip
from pipeline.cli import main
from pipeline.prediction import reading
from tests.models import write_first_pixel
from tests.runs import History

NAMES = ("error", "<b>猫</b>\n")  # the classes of the model below, one of which has the name of a column
RED = np.full([8, 8, 3], (200, 0, 0), np.uint8)
BLUE = np.ascontiguousarray(RED[..., ::-1])


@pytest.fixture(scope="module")
def first_pixel(tmp_path_factory: pytest.TempPathFactory) -> ip.Model:
    """Of images that begin with red or do not; of black ones its probabilities are not finite."""
    folder = tmp_path_factory.mktemp("models") / "digits" / "12"
    return ip.load(str(write_first_pixel(folder, NAMES, dark=float("nan"))))


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_a_model_from_elsewhere(first_pixel: ip.Model) -> None:
    assert (first_pixel.name, first_pixel.version, first_pixel.run_id) == ("digits", "12", "")
    assert first_pixel.classes == list(NAMES)
    assert Path(first_pixel.path, "saved_model.pb").exists()
    shown = first_pixel._repr_mimebundle_()
    assert shown["text/plain"] == repr(first_pixel)
    assert repr(first_pixel).splitlines() == [
        "model     digits version 12",
        "classes   2: error, <b>猫</b>\\n",
        f"path      {first_pixel.path}",
    ]
    assert "&lt;b&gt;猫" in shown["text/html"]


def test_a_row_an_image(first_pixel: ip.Model, tmp_path: Path) -> None:
    (tmp_path / "blue.png").write_bytes(png(BLUE))
    answers = first_pixel.predict([RED, tmp_path / "blue.png", Image.fromarray(BLUE), png(RED)])
    assert list(answers.columns) == ["image", "predicted", "confidence", "class error", NAMES[1]]
    assert answers["image"].tolist() == [0, f"{tmp_path}/blue.png", 2, 3]
    assert answers["predicted"].tolist() == [NAMES[0], NAMES[1], NAMES[1], NAMES[0]]
    assert answers["confidence"].tolist() == [1, 1, 1, 1]
    assert answers["class error"].tolist() == [1, 0, 0, 1]
    assert answers.dtypes.astype(str).tolist() == ["object", "object", "float32", "float32", "float32"]
    batch = first_pixel.predict(np.stack([RED, BLUE]))
    assert (batch["image"].dtype, batch["image"].tolist()) == (np.dtype("int64"), [0, 1])
    assert first_pixel.predict(RED)["image"].tolist() == [0]


def test_none_is_a_frame_without_rows(first_pixel: ip.Model) -> None:
    answers = first_pixel.predict([])
    assert (len(answers), list(answers.columns)[-1]) == (0, NAMES[1])


def test_more_images_than_a_batch(first_pixel: ip.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 4)
    images = [RED if number % 3 else BLUE for number in range(10)]
    answers = first_pixel.predict(images)
    assert answers["predicted"].tolist() == [NAMES[0] if number % 3 else NAMES[1] for number in range(10)]


def test_one_that_cannot_be_read_is_an_error(first_pixel: ip.Model, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(RED)[:60])
    with pytest.raises(ip.UserError, match=rf"^{tmp_path}/a.png: damaged image: the file is truncated$"):
        first_pixel.predict(tmp_path / "a.png")
    with pytest.raises(ip.UserError, match=r"^the image: empty file$"):
        first_pixel.predict(b"")
    with pytest.raises(ip.UserError, match=r"^the image: the model's probabilities are not finite$"):
        first_pixel.predict(np.zeros_like(RED))


def test_of_several_each_is_told(first_pixel: ip.Model, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    raw = png(RED)
    files = {"a.png": raw, "b.png": raw[:60], "c.png": png(np.zeros_like(RED)), "d\n.png": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.warns(UserWarning, match="have no answer") as caught:
        answers = first_pixel.predict(tmp_path)
    assert str(caught[0].message) == (
        "3 of 4 images have no answer, as the column `error` says; "
        f"the first is {tmp_path}/b.png: damaged image: the file is truncated"
    )
    assert caught[0].filename == __file__
    assert list(answers.columns[:4]) == ["image", "predicted", "confidence", "error"]
    assert answers["error"].tolist() == [
        None,
        "damaged image: the file is truncated",
        "the model's probabilities are not finite",
        "empty file",
    ]
    assert answers["predicted"].tolist() == [NAMES[0], None, None, None]
    assert answers["confidence"].isna().tolist() == answers[NAMES[1]].isna().tolist() == [False, True, True, True]
    assert capfd.readouterr() == ("", "")
    with pytest.warns(UserWarning, match="1 of 2 images have no answer.*; the first is image 1: empty file"):
        first_pixel.predict([raw, b""])


@pytest.mark.parametrize("damage", ["saved_model.pb", "variables"])
def test_a_damaged_model_is_one_line(first_pixel: ip.Model, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "digits" / "1"
    shutil.copytree(first_pixel.path, folder)
    if damage == "variables":
        shutil.rmtree(folder / "variables")
    else:
        (folder / damage).write_bytes((folder / damage).read_bytes()[:100])
    with pytest.raises(
        ip.UserError, match=r"^the model .* cannot be loaded \(.*\): name another with ip.load"
    ) as caught:
        ip.load(str(folder))
    assert "\n" not in str(caught.value)


def test_where_nothing_was_pushed(tmp_path: Path) -> None:
    with pytest.raises(ip.UserError, match=rf"^no pushed model in {tmp_path}; push one with `ip.run`$"):
        ip.load(run_dir=tmp_path)
    with pytest.raises(ip.UserError, match="there is no SavedModel; name the folder of a version"):
        ip.load(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_which_model_answers(history: History) -> None:
    with pytest.raises(ip.UserError) as caught:
        ip.load(run_dir=history.folder)
    assert str(caught.value) == (
        f"{history.folder} serves models of 2 names: fewer (version 1), pictures (version 2); "
        'choose one with ip.load("NAME")'
    )
    with pytest.raises(ip.UserError) as caught:
        ip.load("pictrues", run_dir=history.folder)
    assert str(caught.value) == ('ip.load("pictrues"): no model of that name is served; did you mean pictures?')
    for name, run in (("pictures/1", history.first), ("pictures", history.again), ("fewer", history.other)):
        model = ip.load(name, run_dir=history.folder)
        assert run.pushed
        assert (model.name, model.version, model.path) == (run.name, run.pushed["version"], run.pushed["path"])
        assert model.run_id == run.run_id
    assert model.classes == ["one", "zero"]


@pytest.mark.slow
def test_a_damaged_version(history: History, tmp_path: Path) -> None:
    assert history.first.pushed
    folder = tmp_path / "pictures" / "1"
    shutil.copytree(history.first.pushed["path"], folder)
    (folder / "fingerprint.pb").write_bytes(b"")
    with pytest.raises(
        ip.Damaged, match=r"is damaged: fingerprint.pb is not the file that was pushed; `ip.run` pushes"
    ):
        ip.load(str(folder))


@pytest.mark.slow
def test_a_file_its_pixels_and_the_command_have_the_same_answers(
    history: History, capfd: pytest.CaptureFixture[str]
) -> None:
    files = sorted(history.pictures.rglob("test/*/*.png"))
    model = ip.load("pictures/1", run_dir=history.folder)
    of_files = model.predict(files)
    probabilities = of_files[model.classes]
    images = [Image.open(file) for file in files]
    for given in (np.stack([np.asarray(image) for image in images]), images, [file.read_bytes() for file in files]):
        assert model.predict(given)[model.classes].equals(probabilities)
    assert (of_files["confidence"] == probabilities.max(axis=1)).all()
    assert of_files["predicted"].equals(probabilities.idxmax(axis=1))

    capfd.readouterr()
    words = ["predict", str(history.pictures / "test"), "--model", "pictures/1", "--json"]
    assert main([*words, "--run-dir", str(history.folder)]) == 0
    printed = pd.DataFrame([json.loads(line) for line in capfd.readouterr().out.splitlines()])
    folder = model.predict(history.pictures / "test")
    assert folder["image"].tolist() == printed["path"].tolist()
    assert folder["predicted"].tolist() == printed["class"].tolist()
    for name in model.classes:
        assert folder[name].tolist() == [of[name] for of in printed["probabilities"]]


@pytest.mark.slow
def test_a_run_answers_with_its_own_model(history: History) -> None:
    file = next(history.pictures.rglob("test/two/*.png"))
    refused = ip.find_run(history.second.run_id, run_dir=history.folder)
    assert refused.pushed is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answers = refused.predict(file)
    assert list(answers.columns) == ["image", "predicted", "confidence", "one", "two", "zero"]
    first = ip.find_run(history.first.run_id, run_dir=history.folder)
    served = ip.load("pictures/1", run_dir=history.folder)
    assert first.predict(file).equals(served.predict(file))
    assert not first.predict(file).equals(answers)
