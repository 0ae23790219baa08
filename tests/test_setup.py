"""The set-up: what Beam ships to workers, and a Makefile that explains itself."""

from __future__ import annotations

import ast
import importlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from pipeline import ROOT
from pipeline.platforms.vertex.names import IMAGE_ROOT

OWN = ("image_pipeline", "pipeline", "components")


def test_the_package_that_beam_ships_holds_all_of_our_code(tmp_path: Path) -> None:
    """Beam's --setup_file runs `setup.py sdist`; a worker unpickles our functions from what that makes."""
    copy = tmp_path / "project"
    shutil.copytree(ROOT / "pipeline", copy / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "components", copy / "components", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.py", copy)
    command = [sys.executable, "setup.py", "-q", "sdist", "--dist-dir", str(tmp_path / "dist")]
    subprocess.run(command, cwd=copy, check=True, capture_output=True, timeout=120)
    (archive,) = (tmp_path / "dist").iterdir()
    with tarfile.open(archive) as tar:
        shipped = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    ours = {str(p.relative_to(copy)) for p in copy.rglob("*") if p.suffix in (".py", ".yaml", ".pbtxt", ".typed")}
    assert ours <= shipped


def test_the_citation_file_says_what_the_package_says() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    package = metadata("image-classification-pipeline")
    assert citation["version"] == package["Version"]
    # Older versions of setuptools write the licence into the field License, newer ones into License-Expression.
    assert citation["license"] in (package.get("License"), package.get("License-Expression"))
    assert citation["repository-code"] == package["Home-page"]
    owner = citation["repository-code"].split("/")[-2]
    for page in [ROOT / "README.md", ROOT / "docs" / "notebooks.md", *(ROOT / "notebooks").glob("*.ipynb")]:
        assert set(re.findall(r"/([^/ ]+)/image-classification-pipeline\b", page.read_text())) == {owner}, page
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License\n")


def test_every_package_that_our_code_imports_is_declared() -> None:
    """A package that comes with another one alone goes away when that one drops it."""
    names = {
        "PIL": "pillow",
        "absl": "absl-py",
        "sklearn": "scikit-learn",
        "yaml": "pyyaml",
        "google.protobuf": "protobuf",
        "google.auth": "google-auth",
        "grpc": "grpcio",
    }
    names |= {
        "google.api_core": "google-api-core",
        "google.cloud": "google-cloud-aiplatform",
        "kfp": "kfp-pipeline-spec",
    }
    imported = set()
    for file in (file for name in OWN for file in ROOT.glob(f"{name}/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            imported |= {".".join(m.split(".")[: 2 if m.startswith("google.") else 1]) for m in modules}
    declared = {re.split(r"[^\w.-]", line)[0] for line in requires("image-classification-pipeline") or []}
    # IPython is imported in a process that runs it alone: a notebook's.
    ours = imported - set(sys.stdlib_module_names) - {*OWN, "IPython"}
    assert {names.get(module, module.replace("_", "-")) for module in ours} <= declared


@pytest.mark.parametrize(("extra", "package"), [("heic", "pi-heif"), ("tfds", "tensorflow-datasets")])
def test_what_the_user_may_install_is_an_extra_and_in_no_lock(extra: str, package: str) -> None:
    declared = [Requirement(line) for line in requires("image-classification-pipeline") or []]
    assert [r.name for r in declared if r.marker and r.marker.evaluate({"extra": extra}) and r.name == package]
    assert not [r.name for r in declared if r.name == package and r.marker and r.marker.evaluate({"extra": ""})]
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert f"\n{package}==" not in lock.read_text()
    assert any(f"'.[{extra}]'" in " ".join(page.read_text().split()) for page in (ROOT / "docs").glob("*.md"))


def test_set_up_is_not_done_twice() -> None:
    done = subprocess.run(["make", "setup"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    assert "installing" not in done.stdout + done.stderr


def test_a_machine_without_a_compiler_is_told_so_before_anything_is_installed(tmp_path: Path) -> None:
    for name in ("tools/bootstrap.py", "requirements/portable.txt", "setup.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    uv = tmp_path / "bin" / "uv"  # the machine's own may be a shim that needs more on PATH
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    command = [sys.executable, str(tmp_path / "tools" / "bootstrap.py")]
    path = {"PATH": str(tmp_path / "bin")}
    done = subprocess.run(command, env=path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == (
        "setup: there is no C++ compiler, and one package is published as source alone; install g++ and try again\n"
    )
    assert not (tmp_path / ".venv").exists()


def test_an_installation_that_failed_is_not_taken_for_done(tmp_path: Path) -> None:
    for name in ("tools/bootstrap.py", "requirements/portable.txt", "requirements/gpu.txt", "setup.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    make_venv = f"mkdir -p .venv/bin && ln -s {sys.executable} .venv/bin/python"
    programs = {"uv": f"case $1 in --version) ;; venv) {make_venv} ;; *) exit 2 ;; esac", "g++": ""}
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "PYTHON": sys.executable, "ACCELERATOR": "gpu"}
    command = [sys.executable, str(tmp_path / "tools" / "bootstrap.py")]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert "into .venv for a GPU" in done.stdout
        assert "pip sync` failed with exit code 2" in done.stderr
        stamp = tmp_path / ".venv" / ".locked"
        assert stamp.read_text().split("\n")[2:] == ["incomplete", "gpu"]
        assert stamp.stat().st_mtime < (tmp_path / "setup.py").stat().st_mtime  # make begins again


def test_make_help_explains_every_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    explained = {line.split()[1] for line in done.stdout.splitlines()}
    assert explained == targets


@pytest.mark.parametrize("name", ["portable", "image", "gpu", "tpu", "kernel"])
def test_the_lock_pins_every_package_by_hash(name: str) -> None:
    lock = (ROOT / "requirements" / f"{name}.txt").read_text()
    pins = re.findall(r"^[a-z0-9][^\n ]*==[^\n]+ \\\n    --hash=sha256:", lock, re.MULTILINE | re.IGNORECASE)
    named = re.findall(r"^[a-z0-9][^\n ]*==", lock, re.MULTILINE | re.IGNORECASE)
    assert len(pins) == len(named) > {"gpu": 20, "tpu": 0, "kernel": 40}.get(name, 100)


PYTHONS = {"1.21": "3.13", "1.16": "3.10"}  # of the images


def pins(name: str, python: str = f"{sys.version_info[0]}.{sys.version_info[1]}") -> dict[str, str]:
    """Return the versions that a lock pins for a Python on Linux."""
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    pinned = [Requirement(line.rstrip("\\")) for line in lines if line[:1].isalnum()]
    environment = {"python_version": python, "python_full_version": f"{python}.9"}
    return {
        pin.name: str(pin.specifier).removeprefix("==")
        for pin in pinned
        if pin.marker is None or pin.marker.evaluate(environment)
    }


@pytest.mark.parametrize("lane", PYTHONS)
def test_the_image_has_the_versions_that_the_tests_run_with(lane: str) -> None:
    tested, shipped = (pins(name, PYTHONS[lane]) for name in ("portable.txt", "image.txt"))
    assert shipped.items() <= tested.items()
    assert shipped["tfx"] == f"{lane}.0"
    assert not {"pytest", "mypy", "selenium"} & shipped.keys()
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(rf"^FROM python:{PYTHONS[lane]}\.\d+-slim-\w+ AS slim-{lane}$", dockerfile, re.MULTILINE)
    assert f"FROM apache/beam_python{PYTHONS[lane]}_sdk:{shipped['apache-beam']} AS beam-{lane}\n" in dockerfile


def test_the_image_for_a_tpu_has_the_tensorflow_of_its_lane() -> None:
    assert pins("tpu.in") == {"tensorflow-tpu": pins("image.txt", PYTHONS["1.16"])["tensorflow"]}


def test_the_image_for_gpus_has_what_tensorflow_asks_for() -> None:
    wanted = [Requirement(line) for line in requires("tensorflow") or []]
    wanted = [package for package in wanted if "and-cuda" in str(package.marker)]
    pinned = pins("gpu.txt")
    assert {package.name for package in wanted} == pinned.keys() > set()
    assert all(package.specifier.contains(pinned[package.name]) for package in wanted)


def test_the_image_holds_what_the_stages_need_and_no_more() -> None:
    """.dockerignore lets in what the Dockerfile copies."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {
        part for line in re.findall(r"^COPY (?!--from)(.*)", dockerfile, re.MULTILINE) for part in line.split()[:-1]
    }
    let_in = set(re.findall("^!(.*)", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert {name for name in copied if not name.startswith("requirements/")} == let_in - {"requirements/*.txt"}
    assert all((ROOT / name).exists() for name in copied)
    assert f"WORKDIR {IMAGE_ROOT}\n" in dockerfile


def test_every_accepted_vulnerability_has_its_reason() -> None:
    lines = (ROOT / "requirements" / "audit.txt").read_text().splitlines()
    assert all(re.fullmatch(r"#.*|[A-Z]+-[A-Z0-9-]+ \S.{20,}", line) for line in lines)


@pytest.mark.parametrize(
    ("asked", "lane", "before", "expected"),
    [
        ("", "1.21", "", "cpu"),
        ("", "1.21", "gpu", "gpu"),  # .venv keeps what it has
        ("cpu", "1.21", "gpu", "cpu"),
        ("gpu", "1.16", "", "gpu"),
        ("tpu", "1.16", "", "tpu"),
        ("tpu", "1.21", "", "setup: TensorFlow for TPUs ends before that of TFX 1.21; add LANE=1.16"),
        ("npu", "1.21", "", "setup: ACCELERATOR=npu is none of cpu, gpu, tpu"),
    ],
)
def test_the_set_up_is_for_the_accelerator_that_is_asked_for(
    asked: str, lane: str, before: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATOR", asked)
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    bootstrap = importlib.import_module("bootstrap")
    try:
        result = bootstrap.choose_accelerator(lane, before)
    except SystemExit as stopped:
        result = str(stopped)
    assert result == expected
    assert bootstrap.LIBTPU[0] in (ROOT / "Dockerfile").read_text()


def test_a_notebook_finds_the_libraries_of_an_accelerator_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools import notebook_setup

    assert notebook_setup.libraries(tmp_path) == {}
    packages = tmp_path / "lib" / "python3.10" / "site-packages"
    for name in ("nvidia/cublas/lib", "nvidia/cudnn/lib", "libtpu"):
        (packages / name).mkdir(parents=True)
    (packages / "libtpu" / "libtpu.so").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/lib64-nvidia")
    for _ in range(2):  # a cell can be run again
        found = notebook_setup.libraries(tmp_path)
        assert found == {
            "LD_LIBRARY_PATH": f"{packages}/nvidia/cublas/lib:{packages}/nvidia/cudnn/lib:/usr/lib64-nvidia",
            "TPU_LIBRARY_PATH": f"{packages}/libtpu/libtpu.so",
        }
        monkeypatch.setenv("LD_LIBRARY_PATH", found["LD_LIBRARY_PATH"])


@pytest.mark.parametrize(
    ("system", "machine", "libc", "asked", "before", "expected"),
    [
        ("Linux", "x86_64", ("glibc", "2.39"), {}, (), "('1.21', '')"),
        ("Linux", "x86_64", ("glibc", "2.36"), {}, (), "('1.16', '')"),
        ("Darwin", "arm64", ("", ""), {}, (), "('1.21', '')"),
        ("Linux", "x86_64", ("glibc", "2.41"), {"LANE": "1.16"}, (), "('1.16', '')"),
        ("Linux", "x86_64", ("glibc", "2.41"), {"PYTHON": "3.12"}, (), "('1.21', '3.12')"),
        ("Linux", "x86_64", ("glibc", "2.41"), {"PYTHON": "3.10"}, (), "('1.16', '3.10')"),
        # Without a word .venv keeps its lane when the lock changes.
        ("Linux", "x86_64", ("glibc", "2.41"), {}, ("1.16", "3.10"), "('1.16', '3.10')"),
        ("Linux", "x86_64", ("glibc", "2.41"), {"LANE": "1.21"}, ("1.16", ""), "('1.21', '')"),
        # A .venv that came from another machine.
        ("Linux", "x86_64", ("glibc", "2.36"), {}, ("1.21", ""), "('1.16', '')"),
        ("Linux", "x86_64", ("glibc", "2.36"), {"LANE": "1.21"}, (), "need glibc 2.39 or newer, and here is 2.36"),
        ("Linux", "x86_64", ("glibc", "2.36"), {"PYTHON": "3.13"}, (), "TFX 1.21 cannot run on this machine"),
        ("Darwin", "arm64", ("", ""), {"LANE": "1.16"}, (), "it has no packages for macOS"),
        ("Darwin", "x86_64", ("", ""), {}, (), "no packages for Darwin on x86_64; it runs on"),
        ("Linux", "aarch64", ("glibc", "2.41"), {}, (), "no packages for Linux on aarch64; it runs on"),
        ("Linux", "x86_64", ("", ""), {}, (), "they need glibc, and it has another C library"),
        ("Windows", "AMD64", ("", ""), {}, (), "no packages for Windows on AMD64"),
        ("Linux", "x86_64", ("glibc", "2.41"), {"LANE": "1.2"}, (), "LANE=1.2 is none of 1.21, 1.16"),
        ("Linux", "x86_64", ("glibc", "2.41"), {"PYTHON": "3.9"}, (), "PYTHON=3.9 is neither a version from 3.10 to"),
        (
            "Linux",
            "x86_64",
            ("glibc", "2.41"),
            {"PYTHON": "3.13", "LANE": "1.16"},
            (),
            "PYTHON=3.13 cannot run TFX 1.16, which LANE asks for",
        ),
    ],
)
def test_the_set_up_chooses_the_lane_by_the_machine(
    system: str,
    machine: str,
    libc: tuple[str, str],
    asked: dict[str, str],
    before: tuple[str, ...],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: libc)
    for name in ("LANE", "PYTHON", "ACCELERATOR"):
        monkeypatch.setenv(name, asked.get(name, ""))
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    bootstrap = importlib.import_module("bootstrap")
    try:
        result = str(bootstrap.choose(before))
    except SystemExit as stopped:
        result = str(stopped)
        assert result.startswith("setup: ")
    assert expected in result
