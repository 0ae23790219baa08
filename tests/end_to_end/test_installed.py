"""The package installed from its wheel, in an environment of its own, run from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

from pipeline import ROOT

CURATED = ROOT / "schema" / "digits" / "schema.pbtxt"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`image-pipeline` of an environment that has the wheel, and the locked packages of this one."""
    base = tmp_path_factory.mktemp("installed")
    uv = subprocess.run(
        [sys.executable, "tools/bootstrap.py", "--tools-only"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    for name in ("components", "pipeline"):  # setuptools would take what an earlier build left in build/
        shutil.copytree(ROOT / name, base / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, base / "source")
    build = [uv, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, "--out-dir", base / "dist", base / "source"], check=True, timeout=300)
    (wheel,) = (base / "dist").glob("*.whl")
    venv.create(base / "env", with_pip=False)
    (packages,) = (base / "env" / "lib").glob("python*/site-packages")
    # A path of a .pth file is not searched for .pth files, so the editable install of this checkout is not seen.
    (packages / "locked.pth").write_text(next(path for path in sys.path if path.endswith("site-packages")) + "\n")
    python = base / "env" / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--no-deps", "--python", python, wheel], check=True, timeout=300)
    return base / "env" / "bin" / "image-pipeline"


def output(command: Path, folder: Path, *arguments: str) -> str:
    """Return what the command prints; it has to succeed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def line_of(stage: str, text: str) -> str:
    return next(line for line in text.splitlines() if line.split()[:1] == [stage])


def test_the_curated_schema_comes_with_the_package_and_freeze_round_trips(command: Path, tmp_path: Path) -> None:
    assert output(command, tmp_path, "--version").startswith("image-pipeline 0.")
    first = output(command, tmp_path, "run", "--to", "SchemaGen")
    assert line_of("SchemaGen", first).endswith("the package's own for digits")
    (taken,) = tmp_path.glob("output/artifacts/digits/SchemaGen/schema/*/schema.pbtxt")
    assert taken.read_bytes() == CURATED.read_bytes()

    printed = output(command, tmp_path, "schema", "freeze")
    own = Path("schema", "digits", "schema.pbtxt")
    assert printed.startswith(f"{own} written from run")
    assert f"schema_file: null # default: {own}" in " ".join(output(command, tmp_path, "config").split())
    second = output(command, tmp_path, "run", "--to", "SchemaGen")
    assert line_of("SchemaGen", second).endswith(str(own))


def test_the_spec_for_vertex_is_that_of_the_checkout(command: Path, tmp_path: Path) -> None:
    arguments = ["vertex", "compile", "--set", "vertex.project=my-project", "--output"]
    output(command, tmp_path, *arguments, str(tmp_path / "installed.json"))
    output(Path(sys.executable).parent / "image-pipeline", ROOT, *arguments, str(tmp_path / "checkout.json"))
    assert (tmp_path / "installed.json").read_bytes() == (tmp_path / "checkout.json").read_bytes()


def test_beam_ships_the_installed_code_to_its_workers(command: Path, tmp_path: Path) -> None:
    python = command.parent / "python"
    code = "from pipeline.platforms.local import beam_package; print(beam_package.setup_file('output'))"
    setup = Path(output(python, tmp_path, "-c", code).strip())
    assert setup == tmp_path / "output" / "beam_package" / "setup.py"
    output(python, setup.parent, "setup.py", "-q", "sdist")  # as Beam calls it
    (archive,) = (setup.parent / "dist").iterdir()
    with tarfile.open(archive) as tar:
        shipped = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    installed = [path for name in ("components", "pipeline") for path in (ROOT / name).rglob("*") if path.is_file()]
    assert {str(path.relative_to(ROOT)) for path in installed if path.suffix not in (".pyc", "")} <= shipped
    assert "pipeline/schema/digits/schema.pbtxt" in shipped
