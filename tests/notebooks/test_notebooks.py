"""The notebooks run from top to bottom, in a kernel whose Python is not the pipeline's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import ROOT
from tests.datasets import digit_images, write_folder
from tests.example_gen.datasets import Cifar, cifar_python
from tests.skips import missing
from tools import kernel

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_LINES = 40  # that a run may print in a cell
LOGS = re.compile(r"^(WARNING|INFO|ERROR|DEBUG)[:\s]|^[IWEF]\d{4} |tensorflow/|apache_beam|absl", re.MULTILINE)


def cells(notebook: Path) -> list[dict[str, Any]]:
    return json.loads(notebook.read_text())["cells"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(notebook: Path) -> None:
    """And as Jupyter writes it, so that opening and saving it changes nothing; ids are words, which a link can name."""
    text = notebook.read_text()
    content = json.loads(text)
    assert text == json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert content["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    ids = [cell["id"] for cell in content["cells"]]
    assert len(ids) == len(set(ids))
    for cell in content["cells"]:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", cell["id"])
        assert cell["metadata"] == ({"tags": ["parameters"]} if cell["id"] == "parameters" else {})
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
        assert not re.search(r"/(home|root|work|tmp|Users)/", "".join(cell["source"]))


def test_both_notebooks_begin_with_the_same_set_up() -> None:
    first, second = (
        "".join(next(cell["source"] for cell in cells(path) if cell["id"] == "setup")) for path in NOTEBOOKS
    )
    assert first.replace("import pandas as pd\n\n", "") == second


def test_your_photos_has_ten_cells() -> None:
    assert len(cells(ROOT / "notebooks" / "your_photos.ipynb")) == 10


def test_the_cells_that_the_documentation_names_exist() -> None:
    """A row of the table of steps links to a cell, as Colab understands it."""
    page = (ROOT / "docs" / "notebooks.md").read_text()
    named = re.findall(r"notebooks/(\w+)\.ipynb#scrollTo=([\w-]+)", page)
    assert len(named) >= 7
    for name, cell in named:
        assert cell in [each["id"] for each in cells(ROOT / "notebooks" / f"{name}.ipynb")]


@pytest.fixture(scope="module")
def another_python() -> Path:
    """Return the Python of the kernel, which is made at first, for a minute."""
    try:
        return kernel.make()
    except (SystemExit, subprocess.CalledProcessError) as error:
        missing(f"no kernel of another Python can be made: {error}", "REQUIRE_KERNEL")


def execute(python: Path, name: str, out: Path, **parameters: Any) -> dict[str, dict[str, Any]]:
    """Execute a notebook; return its code cells by their ids."""
    settings = [f"--set={key}={value!r}" for key, value in parameters.items()]
    command = [python, "tools/notebooks.py", f"notebooks/{name}.ipynb", "--out", out, *settings]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<iframe" in (out / f"{name}.html").read_text()
    executed = {cell["id"]: cell for cell in cells(out / f"{name}.ipynb") if cell["cell_type"] == "code"}
    for cell in executed.values():
        assert not [output for output in cell["outputs"] if output["output_type"] == "error"]
        assert not LOGS.search(text_of(cell)), text_of(cell)
    return executed


def text_of(cell: dict[str, Any]) -> str:
    """Return what a cell shows where there is only text."""
    parts = []
    for output in cell["outputs"]:
        text = output.get("text") or output["data"].get("text/plain", "")
        parts.append("".join(text))
    return "\n".join(part.rstrip("\n") for part in parts)


def lines_of(cell: dict[str, Any]) -> list[str]:
    return text_of(cell).splitlines()


def html_of(cell: dict[str, Any]) -> str:
    return "".join("".join(output.get("data", {}).get("text/html", "")) for output in cell["outputs"])


@pytest.mark.slow
def test_the_six_steps(another_python: Path, tmp_path: Path) -> None:
    assert subprocess.check_output([another_python, "-V"]) != subprocess.check_output([sys.executable, "-V"])
    cell = execute(
        another_python,
        "cifar10",
        tmp_path / "executed",
        DATA=str(drawn_cifar10(tmp_path / "cifar-10-python.tar.gz")),
        EPOCHS=1,
        MORE_EPOCHS=12,
        WIDTH=8,
        MIN_ACCURACY=0,
        RUN_DIR=str(tmp_path / "runs"),
    )
    for name in ("run", "own-run", "better-run"):
        assert 10 < len(lines_of(cell[name])) < MOST_LINES, text_of(cell[name])
        assert "log  " in text_of(cell[name])
    assert "pushed    version 1" in text_of(cell["run"])
    assert "</iframe>" in html_of(cell["run-page"])
    assert html_of(cell["images"]).count("<img ") == 20
    assert "airplane" in text_of(cell["balance"])

    assert "nothing" in text_of(cell["findings"])
    found = text_of(cell["refused"])
    assert "15 of 1,005" in found
    assert "more than one label" in found
    assert re.search(r"Trainer +not run", found)

    batches = text_of(cell["batches"])
    assert "TensorSpec(shape=(500, 32, 32, 3), dtype=tf.float32" in batches
    assert "2 batches, 1,000 images" in batches
    assert "Conv2D" in text_of(cell["summary"])
    assert "Dense" in text_of(cell["own-summary"])
    assert "image/png" in cell["curves"]["outputs"][-1]["data"]
    assert "accuracy" in text_of(cell["metrics"])

    assert "cached" in text_of(cell["better-run"])
    assert "pushed    version 2" in text_of(cell["better-run"])
    assert "McNemar's p" in text_of(cell["compare"])
    assert len(lines_of(cell["runs"])) > 4
    assert "saved_model.pb" in text_of(cell["served-files"])
    assert "confidence" in text_of(cell["load"])
    assert re.search(r"'significant': True", text_of(cell["mcnemar"]))


@pytest.mark.slow
def test_your_photos(another_python: Path, tmp_path: Path) -> None:
    photos = write_folder(tmp_path / "photos", train=60, test=0, given_splits=False)
    small = {"epochs": 4, "batch_size": 16, "width": 8, "transform": {"size": 16}, "flip": False}
    cell = execute(
        another_python,
        "your_photos",
        tmp_path / "executed",
        PHOTOS=str(photos),
        RUN_DIR=str(tmp_path / "runs"),
        SETTINGS=small | {"preset": "small", "evaluator": {"min_accuracy": 0, "min_class_recall": 0}},
    )
    assert 10 < len(lines_of(cell["run"])) < MOST_LINES, text_of(cell["run"])
    assert "pushed    version 1" in text_of(cell["run"])
    assert html_of(cell["images"]).count("<img ") == 12
    assert re.search(r"zero|one|two", text_of(cell["predict"]))
    assert str(tmp_path / "runs" / "serving" / "photos" / "1") in text_of(cell["model"])


def drawn_cifar10(path: Path) -> Path:
    """Write the handwritten digits in the layout of CIFAR-10's official archive, a digit a class."""
    pixels, labels = digit_images()
    order = np.random.default_rng(0).permutation(len(labels))
    planes = pixels[order].transpose(0, 3, 1, 2).reshape(len(order), -1)
    parts = {"test_batch": slice(1250, None)} | {f"data_batch_{i + 1}": slice(250 * i, 250 * i + 250) for i in range(5)}
    return cifar_python(path, {name: Cifar(planes[part], labels[order][part].tolist()) for name, part in parts.items()})
