"""The variables of the Dockerfile: a process that has only them finds the libraries of its accelerator.

No image is built: the Dockerfile is read, its folders are made below a temporary one, and a stand-in of each library
is loaded by its plain name, as TensorFlow loads the real one.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import string
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline import ROOT
from pipeline.platforms.vertex import tpu
from tests.skips import missing

PACKAGES = "/opt/venv/lib/python/site-packages"
DRIVER = "/usr/local/nvidia/lib64"  # where Vertex AI puts it
LOAD = "import ctypes, json, sys; [ctypes.CDLL(name) for name in json.loads(sys.argv[1])]"


@dataclass
class Stage:
    base: str
    environment: dict[str, str] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)  # what `RUN ln -s` makes: where it lies, and to what it leads


def image(accelerator: str, lane: str = "1.16") -> Stage:
    """Return what the image for an accelerator has of all stages that it is made from."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    arguments = {"ACCELERATOR": accelerator, "LANE": lane}
    stages: dict[str, Stage] = {}
    stage = Stage("")
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            base, _, name = string.Template(rest).substitute(arguments).partition(" AS ")
            before = stages.get(base, Stage(base, {"PATH": "/usr/local/bin:/usr/bin:/bin"}))
            stage = Stage(base, dict(before.environment), list(before.users), dict(before.links))
            stages[name] = stage
        elif instruction == "ARG" and "=" in rest and stages:
            arguments |= [rest.split("=", 1)]
        elif instruction == "ENV":
            known = {**arguments, **stage.environment}
            stage.environment |= [string.Template(pair).substitute(known).split("=", 1) for pair in shlex.split(rest)]
        elif instruction == "USER":
            stage.users.append(rest)
        elif found := re.search(r"ln -s (/\S+) (/\S+)", line):
            stage.links[found[2]] = found[1]
    return stages[""]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shared library with nothing in it."""
    compiler = shutil.which("c++") or shutil.which("g++")
    if not compiler:
        missing("no C++ compiler", "REQUIRE_COMPILER")
    made = tmp_path_factory.mktemp("library") / "empty.so"
    subprocess.run([compiler, "-shared", "-x", "c++", "/dev/null", "-o", str(made)], check=True)
    return made


def load(root: Path, environment: dict[str, str], *names: str) -> subprocess.CompletedProcess[str]:
    """Load the libraries in a process that has this environment alone, with its folders below `root`."""
    mapped = {
        key: ":".join(f"{root}{part}" if part.startswith("/") else part for part in value.split(":"))
        for key, value in environment.items()
        if key != "PATH"
    }
    command = [sys.executable, "-S", "-c", LOAD, json.dumps(names)]
    return subprocess.run(command, env=mapped, capture_output=True, text=True, timeout=60)


def put(library: Path, root: Path, path: str) -> str:
    """Copy the library to that path below `root`, and return its plain name."""
    copy = root / path.lstrip("/")
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(library, copy)
    return copy.name


def cuda() -> list[str]:
    """Return the folders in which the packages of requirements/gpu.txt have libraries; nvcc has programs alone."""
    names = re.findall(r"^nvidia-([a-z-]+)-cu12==", (ROOT / "requirements" / "gpu.txt").read_text(), re.MULTILINE)
    return sorted({name.replace("-", "_") for name in names} - {"cuda_nvcc"})


def test_the_image_for_gpus_finds_the_driver_and_every_library_of_cuda(tmp_path: Path, library: Path) -> None:
    environment = image("gpu").environment
    folders = cuda()
    assert len(folders) > 9
    libraries = [put(library, tmp_path, f"{PACKAGES}/nvidia/{folder}/lib/lib{folder}.so") for folder in folders]
    for name in (*libraries, put(library, tmp_path, f"{DRIVER}/libcuda.so.1")):
        done = load(tmp_path, environment, name)
        assert (name, done.stderr) == (name, "")
    # What the runtime that gives a container its GPUs asks for.
    assert environment["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert environment["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"


def test_the_image_for_a_tpu_finds_libtpu_by_its_variable_and_by_its_plain_name(tmp_path: Path, library: Path) -> None:
    made = image("tpu")
    put(library, tmp_path, f"{PACKAGES}/libtpu/libtpu.so")
    for link, target in made.links.items():
        (tmp_path / link.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / link.lstrip("/")).symlink_to(f"{tmp_path}{target}")
    path = made.environment["TPU_LIBRARY_PATH"]
    assert path == tpu.LIBTPU == tpu.PJRT["TF_PLUGGABLE_DEVICE_LIBRARY_PATH"]
    done = load(tmp_path, made.environment, f"{tmp_path}{path}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="the folders of a loader are those of its system")
def test_the_loader_looks_for_libtpu_where_the_image_has_it() -> None:
    environment = {**image("tpu").environment, "LD_DEBUG": "libs"}
    command = [sys.executable, "-S", "-c", LOAD, json.dumps(["libtpu.so"])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert f"trying file={tpu.LIBTPU}\n" in done.stderr


@pytest.mark.parametrize("accelerator", ["cpu", "gpu", "tpu"])
@pytest.mark.parametrize("lane", ["1.16", "1.21"])
def test_an_image_has_what_its_own_accelerator_needs_and_runs_as_root(accelerator: str, lane: str) -> None:
    made = image(accelerator, lane)
    environment = made.environment
    assert environment["PATH"].startswith("/opt/venv/bin:")
    assert environment["RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"] == "1"  # a worker of Dataflow makes none of its own
    assert ("LD_LIBRARY_PATH" in environment) == ("NVIDIA_VISIBLE_DEVICES" in environment) == (accelerator == "gpu")
    assert ("TPU_LIBRARY_PATH" in environment) == bool(made.links) == (accelerator == "tpu")
    assert not set(environment) & set(tpu.PJRT)  # they would break a TPU v2 or v3: the job of a v5e sets them
    # Dataflow gives its workers a folder of root's, and no page of Google's says that another user may open a TPU.
    assert made.users == []
