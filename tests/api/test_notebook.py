"""The API in a notebook's cells: what a person sees in them."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline import ROOT
from tests.api.runs import SMALL
from tests.datasets import write_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The executed cells of a notebook in a kernel of this Python, in which TensorFlow and absl are loaded already."""
    nbclient = pytest.importorskip("nbclient", reason="only TFX 1.16 brings Jupyter; see tests/notebooks")
    from nbformat.v4 import new_code_cell, new_notebook

    root = tmp_path_factory.mktemp("notebook")
    data = write_folder(root / "images", train=20, test=10)
    arguments = f"{str(data)!r}, run_dir={str(root / 'out')!r}, settings={SMALL!r}"
    sources = [
        "import image_pipeline as ip; import tensorflow; from absl import logging",
        f"run = ip.run({arguments}, epochs=1)",
        "run",
        "run.mistakes(2)",
        f"ip.run({arguments}, epoch=1)",
        "import logging; logging.warning('mine'); print('mine')",
        "print(open(run.log).read().count('INFO'))",
    ]
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    resources = {"metadata": {"path": str(ROOT)}}
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", allow_errors=True, resources=resources
    ).execute()
    return notebook.cells


def text_of(cell: Any, stream: str = "stdout") -> str:
    return "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == stream)


def test_a_run_shows_one_table_and_a_few_lines(cells: list[Any]) -> None:
    run = cells[1]
    (table,) = [output for output in run.outputs if output.output_type == "display_data"]
    assert table.data["text/plain"].splitlines()[0].split()[:2] == ["ExampleGen", "done"]
    assert table.data["text/html"].count("<tr>") == 12
    assert "running" not in table.data["text/html"]
    lines = text_of(run).splitlines()
    assert len(lines) + len(table.data["text/plain"].splitlines()) < 40
    assert lines[0].startswith("data      ")
    assert any(line.startswith("pushed    version 1") for line in lines)
    assert "\x1b" not in text_of(run)
    assert text_of(run, "stderr") == ""


def test_what_the_libraries_print_is_in_the_log_alone(cells: list[Any]) -> None:
    assert int(text_of(cells[6])) > 100
    for cell in cells[1:5]:
        assert "INFO" not in text_of(cell) + text_of(cell, "stderr")


def test_the_run_and_its_mistakes_are_shown(cells: list[Any]) -> None:
    (shown,) = cells[2].outputs
    assert "<iframe srcdoc=" in shown.data["text/html"]
    (shown,) = cells[3].outputs
    assert shown.data["text/html"].count("<img ") == 2


def test_a_mistake_is_one_line(cells: list[Any]) -> None:
    (error,) = cells[4].outputs
    assert error.traceback == ["UserError: unknown argument 'epoch'; did you mean epochs?"]


def test_the_streams_and_the_log_are_the_users_again(cells: list[Any]) -> None:
    assert text_of(cells[5]) == "mine\n"
    assert text_of(cells[5], "stderr") == "WARNING:root:mine\n"
