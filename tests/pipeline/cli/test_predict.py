"""`predict` on whatever a user may name: each file is answered or told on one line, and the rest is answered."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from components.errors import UserError
from pipeline.cli import main, predict
from pipeline.cli.messages import Messages
from pipeline.config import Config
from pipeline.prediction import reading
from tests.example_gen.factories import orientation, png_chunks, png_of_chunks, saved
from tests.models import write_first_pixel
from tests.runs import History

TOP_LEFT = ("red", "blue\x1b[2J")  # the classes of the model below


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SavedModel that tells whether the first pixel of an image is red."""

    return str(write_first_pixel(tmp_path_factory.mktemp("model"), TOP_LEFT))


def halves(first: str, second: str) -> Image.Image:
    image = Image.new("RGB", (16, 16), first)
    image.paste(second, (0, 8, 16, 16))
    return image


def ask(model: str, *paths: Path | str, as_json: bool = False) -> int:
    return predict.run(Config(), [str(path) for path in paths], model, 2, Messages(quiet=True, as_json=as_json))


def test_each_file_is_answered_or_told(model: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    png = saved(halves("red", "blue"), "PNG")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, raw in {
        "a.png": png,
        "b.png": png[:60],
        "c.webp": saved(halves("red", "blue"), "WEBP", lossless=True),
        "d.jpg": saved(halves("red", "blue"), "JPEG", exif=orientation(3)),  # upside down
        "e\x1b[31m\n.png": b"",
        "f.heic": b"\0\0\0\x18ftypheic" + bytes(99),
        "g.png": png_of_chunks(
            [(k, zlib.compress(bytes(90)) if k == b"IDAT" else data) for k, data in png_chunks(png)]
        ),
    }.items():
        (folder / name).write_bytes(raw)
    (folder / "h.png").symlink_to("nowhere")
    os.mkfifo(folder / "i.png")
    (folder / "j.png").symlink_to("/dev/zero")

    assert ask(model, folder) == 2

    out, err = capfd.readouterr()
    assert out.splitlines() == [
        f"{folder}/a.png: red 100.0%  blue\\x1b[2J 0.0%",
        f"{folder}/c.webp: red 100.0%  blue\\x1b[2J 0.0%",
        f"{folder}/d.jpg: blue\\x1b[2J 100.0%  red 0.0%",
    ]
    assert err.splitlines() == [
        f"error: {folder}/b.png: damaged image: the file is truncated",
        f"error: {folder}/e\\x1b[31m\\n.png: empty file",
        f"error: {folder}/f.heic: a HEIC image: install the package pi-heif to read it, or convert it to JPEG, "
        "e.g. with heif-convert",
        f"error: {folder}/g.png: damaged image: its data is cut short or inconsistent",
        f"error: {folder}/h.png: cannot be read (No such file or directory)",
        f"error: {folder}/i.png: cannot be read (not a regular file)",
        f"error: {folder}/j.png: cannot be read (not a regular file)",
    ]


def test_a_device_and_a_pipe(model: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Both may be named; what has no end is read to the limit, and a pipe without a writer is not waited for."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert ask(model, "/dev/zero", pipe) == 2
    assert capfd.readouterr().err.splitlines() == [
        "error: /dev/zero: over the limit of 20,000,000 bytes (data.max_bytes)",
        f"error: {pipe}: empty file",
    ]
    reader, writer = os.pipe()
    os.write(writer, saved(halves("blue", "red"), "PNG"))
    os.close(writer)
    assert ask(model, f"/dev/fd/{reader}") == 0  # as the shell names `<(command)`
    assert "blue\\x1b[2J 100.0%" in capfd.readouterr().out
    os.close(reader)


def test_json_is_one_object_a_line(model: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = ["日本.png", "bidi\u202e.png", os.fsdecode(b"latin\xe9.png")]
    for name in names:
        (tmp_path / name).write_bytes(saved(halves("red", "blue"), "PNG"))
    assert ask(model, tmp_path, as_json=True) == 0
    lines = capfd.readouterr().out.splitlines()
    assert all(line.isprintable() for line in lines)
    answers = [json.loads(line) for line in lines]
    assert {Path(answer["path"]).name for answer in answers} == set(names)
    assert answers[0]["class"] == "red"
    assert answers[0]["probabilities"] == {"red": 1.0, "blue\x1b[2J": 0.0}


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize(
    ("ending", "read"),
    [(".csv", pd.read_csv), (".jsonl", lambda path: pd.read_json(path, lines=True)), (".parquet", pd.read_parquet)],
)
def test_a_table_has_a_row_for_every_image(
    model: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    ending: str,
    read: Callable[[Path], pd.DataFrame],
    scheme: str,
) -> None:
    """Also of a remote folder, and of an image that cannot be read."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "a.png").write_bytes(saved(halves("red", "blue"), "PNG"))
    (tmp_path / "in" / "sub" / 'b,".png').write_bytes(saved(halves("blue", "red"), "PNG"))
    (tmp_path / "in" / "c.png").write_bytes(b"x")
    folder, output = f"{scheme}{tmp_path}/in", f"{scheme}{tmp_path}/new/t{ending}"
    words = ["predict", folder, "--model", model, "--output", output, "--run-dir", str(tmp_path / "none")]
    assert main(words) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-2:] == [
        f"error: {folder}/c.png: not an image but text",
        f"table     {output}: 3 images, 1 without an answer",
    ]
    table = read(tmp_path / "new" / f"t{ending}")
    assert list(table.columns) == ["image", "predicted", "confidence", "error", *TOP_LEFT]
    assert table["image"].tolist() == [f"{folder}/a.png", f"{folder}/c.png", f'{folder}/sub/b,".png']
    assert table["predicted"].fillna("").tolist() == [TOP_LEFT[0], "", TOP_LEFT[1]]
    assert table["confidence"].fillna(-1).tolist() == [1, -1, 1]
    assert table["error"].fillna("").tolist() == ["", "not an image but text", ""]
    assert table[TOP_LEFT[0]].fillna(-1).tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("s3://bucket/a.png",), "s3://bucket/a.png: no s3:// paths are read; copy it to gs:// or this machine"),
        (("file:///none/a.png",), "file:///none/a.png: no such file or folder"),
        (("a.png", "--output", "t.txt"), "--output: t.txt: name a file that ends in .csv, .jsonl, .parquet"),
        (("a.png", "--output", "s3://b/t.csv"), "cannot write to s3://; write to gs:// or to this machine"),
        (("a.png", "--output", "t.csv", "--json"), "not allowed with"),
    ],
)
def test_a_path_that_cannot_be_used_is_one_line(
    capfd: pytest.CaptureFixture[str], words: tuple[str, ...], expected: str
) -> None:
    try:
        code = main(["predict", *words])
    except SystemExit as error:
        code = int(str(error.code))
    said = capfd.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert expected in said


def test_probabilities_that_are_no_numbers_are_no_answer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = write_first_pixel(tmp_path / "model", TOP_LEFT, dark=float("nan"))
    (tmp_path / "a.png").write_bytes(saved(halves("black", "black"), "PNG"))
    assert ask(str(model), tmp_path / "a.png", as_json=True) == 2
    assert capfd.readouterr().err == f"error: {tmp_path}/a.png: the model's probabilities are not finite\n"


def test_more_files_than_a_batch(
    model: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH", 4)
    for i in range(10):
        (tmp_path / f"{i}.png").write_bytes(b"x" if i % 5 == 1 else saved(halves("red", "blue"), "PNG"))
    assert ask(model, tmp_path) == 2
    out, err = capfd.readouterr()
    assert [line.split(":")[0][-5:] for line in out.splitlines()] == [f"{i}.png" for i in (0, 2, 3, 4, 5, 7, 8, 9)]
    assert [line.split(":")[1][-5:] for line in err.splitlines()] == ["1.png", "6.png"]


@pytest.mark.parametrize("damage", ["empty", "cut", "variables"])
def test_a_damaged_model_is_one_line(model: str, tmp_path: Path, damage: str) -> None:
    for file in Path(model).rglob("*"):
        copy = tmp_path / "model" / file.relative_to(model)
        if file.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            raw = file.read_bytes()
            whole = file.name != "saved_model.pb" if damage != "variables" else "variables" not in file.parts
            copy.write_bytes(raw if whole else b"" if damage == "empty" else raw[: len(raw) // 2])
    image = tmp_path / "a.png"
    image.write_bytes(saved(halves("red", "blue"), "PNG"))
    with pytest.raises(UserError, match=r"^the model .* cannot be loaded \(.*\): name another") as caught:
        ask(str(tmp_path / "model"), image)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_which_model_answers(history: History, capfd: pytest.CaptureFixture[str]) -> None:
    image = next(history.pictures.rglob("*.png"))
    place = ["--run-dir", str(history.folder)]
    assert main(["predict", str(image), *place]) == 2, "two models are served, and none is named"
    message = capfd.readouterr().err
    assert "serves models of 2 names: fewer (version 1), pictures (version 2); choose one with --model NAME" in message

    assert main(["predict", str(image), "--model", "pictures/1", *place]) == 0
    said = capfd.readouterr()
    path = history.first.pushed["path"]  # type: ignore[index]
    assert said.err.splitlines()[0].startswith(f"model     pictures version 1, pushed by run {history.first.run_id}: ")
    assert said.err.splitlines()[1:] == ["loading TensorFlow"]
    assert said.out.startswith(f"{image}: ")

    assert main(["predict", str(image), "--model", "fewer", "--json", *place]) == 0
    answer = json.loads(capfd.readouterr().out)
    assert (answer["model"]["name"], answer["model"]["version"]) == ("fewer", "1")
    assert answer["model"]["run_id"] == history.other.run_id

    assert main(["predict", str(image), "-q", "--model", path, *place]) == 0
    assert capfd.readouterr().err == ""
    assert main(["predict", str(image), "--model", "pictrues", *place]) == 2
    assert capfd.readouterr().err == (
        "error: --model pictrues: no model of that name is served; did you mean pictures?\n"
    )
