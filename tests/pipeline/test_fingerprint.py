"""What counts as the code of a stage: what it names, and what that imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.trainer import networks
from pipeline import fingerprint

TRAINER = "components.trainer.train.run_fn"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one stage, in a folder whose name says nothing of its id."""
    files = {
        "__init__.py": "",
        "texts.py": "",
        "shapes.py": "import os",
        "lazy.py": "",
        "types.py": "",
        "client.py": "",
        "unused.py": "",
        "odd_folder/__init__.py": "",
        "odd_folder/unused.py": "",
        "odd_folder/page/index.html": "",
        "odd_folder/beside.py": "from . import deeper as d",
        "odd_folder/deeper.py": "from ..odd_folder.deepest import function",
        "odd_folder/deepest.py": "import components.texts as t",
        "odd_folder/executor.py": """
from __future__ import annotations
from typing import TYPE_CHECKING
from components import shapes
from components.odd_folder.beside import function
if TYPE_CHECKING:
    from components.types import Thing
COMMAND = ["python", "-m", "components.client"]
def run():
    from components.lazy import function
""",
    }
    for name, text in files.items():
        path = tmp_path / "components" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    return tmp_path


def test_the_files_of_a_stage(project: Path) -> None:
    found = fingerprint.files(["components.odd_folder.executor.Executor"])
    assert {str(file.relative_to(project / "components")) for file in found.values()} == {
        *("__init__.py", "texts.py", "shapes.py", "lazy.py", "client.py"),
        *(f"odd_folder/{name}.py" for name in ("__init__", "executor", "beside", "deeper", "deepest")),
        "odd_folder/page/index.html",
    }


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("odd_folder/executor.py", True),
        ("odd_folder/__init__.py", True),
        ("odd_folder/page/index.html", True),
        ("odd_folder/deepest.py", True),
        ("lazy.py", True),
        ("client.py", True),
        ("types.py", False),
        ("unused.py", False),
        ("odd_folder/unused.py", False),
    ],
)
def test_an_edit(project: Path, file: str, counts: bool) -> None:
    name = "components.odd_folder.executor.Executor"
    before = fingerprint.of_code([name])
    assert fingerprint.of_code([name]) == before
    with (project / "components" / file).open("a") as source:
        source.write("\n# edited\n")
    assert (fingerprint.of_code([name]) != before) == counts


def test_content_counts(project: Path) -> None:
    assert fingerprint.of_code(["components.shapes"], b"a") != fingerprint.of_code(["components.shapes"], b"b")


def test_training_hangs_on_no_other_stage_and_no_text() -> None:
    found = fingerprint.files([TRAINER])
    assert {"components.trainer.train", "components.trainer.loop", "components.files"} <= set(found)
    assert {network.module for network in networks.NETWORKS.values()} <= set(found)
    rooms = {name.split(".")[1] for name in found if name.count(".") >= 2}
    assert rooms <= {"trainer", "contracts"}
    assert not fingerprint.TEXTS & found.keys()


def test_what_only_words_messages_is_there_and_does_not_count() -> None:
    names = ["components.example_gen.executor.Executor", "components.files", *fingerprint.TEXTS]
    assert not fingerprint.TEXTS & fingerprint.files(names).keys()
    assert all((fingerprint.ROOT / name.replace(".", "/")).with_suffix(".py").is_file() for name in fingerprint.TEXTS)


@pytest.mark.slow  # imports TFX
def test_code_of_a_stage_that_is_not_there_is_an_error() -> None:
    from tfx.components import Transform
    from tfx.types import Channel, standard_artifacts

    def stage(name: str) -> Transform:
        examples, schema = Channel(type=standard_artifacts.Examples), Channel(type=standard_artifacts.Schema)
        return Transform(examples=examples, schema=schema, preprocessing_fn=name)

    name = "components.transform.preprocessing.preprocessing_fn"
    assert fingerprint.of_stage(stage(name)) != fingerprint.of_code([])
    for wrong in (name.replace("preprocessing.", "gone."), name.replace("transform.", "gone.")):
        with pytest.raises(LookupError, match=rf"the code of the stage Transform, {wrong}, is neither in this project"):
            fingerprint.of_stage(stage(wrong))


@pytest.mark.slow  # imports TFX
def test_an_executor_outside_the_project_is_an_error() -> None:
    from tfx.components import SchemaGen
    from tfx.dsl.components.base import base_executor, executor_spec
    from tfx.types import Channel, standard_artifacts

    class Elsewhere(base_executor.EmptyExecutor):
        pass

    stage = SchemaGen(statistics=Channel(type=standard_artifacts.ExampleStatistics))
    assert fingerprint.of_stage(stage) == fingerprint.of_code([])
    stage.executor_spec = executor_spec.ExecutorClassSpec(Elsewhere)
    with pytest.raises(LookupError, match=r"the code of the stage SchemaGen, tests\..*Elsewhere, is neither in"):
        fingerprint.of_stage(stage)
