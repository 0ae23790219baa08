"""The builds: their substitutions, and the steps of infra/cloudbuild.yaml in a real shell with the real command.

Docker is a script here that prints a digest, and the folders of the containers are folders of the test.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import ROOT
from pipeline.platforms.vertex import names
from tests.pipeline.platforms.vertex.fakes import GoogleCloud, serving

RELEASE = ROOT / "infra" / "cloudbuild.yaml"
FILES = (ROOT / "cloudbuild.yaml", RELEASE)
BUILT_IN = {"PROJECT_ID": "my-project", "BUILD_ID": "0d1e2f3a-4b5c-4d6e-8f70-81920a1b2c3d", "COMMIT_SHA": "c0ffee" * 6}
DIGEST = f"sha256:{'ab' * 32}"
VARIABLE = re.compile(r"\$(\$|\{([A-Z_][A-Z0-9_]*)\}|([A-Z_][A-Z0-9_]*))")


def substitute(text: str, values: dict[str, str]) -> str:
    """Return a text as Cloud Build makes it: $NAME and ${NAME} replaced, $$ a $, and an unknown name an error."""
    return VARIABLE.sub(lambda found: "$" if found[1] == "$" else values[found[2] or found[3]], text)


def build(path: Path, **given: str) -> dict[str, Any]:
    """Return a build with its substitutions made."""
    text = path.read_text()
    declared = yaml.safe_load(text)["substitutions"]
    assert given.keys() <= declared.keys()
    values = {**BUILT_IN, **{name: substitute(value, BUILT_IN) for name, value in declared.items()}, **given}

    def made(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: made(each) for key, each in value.items()}
        if isinstance(value, list):
            return [made(each) for each in value]
        return substitute(value, values) if isinstance(value, str) else value

    document = yaml.safe_load(text)
    del document["substitutions"]
    made_document: dict[str, Any] = made(document)
    return made_document


def step(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in document["steps"] if each.get("id") == name)
    return dict(found)


class Shell:
    """The workspace of a build, where its steps run."""

    def __init__(self, folder: Path, document: dict[str, Any]) -> None:
        self.folder, self.document = folder, document
        self.workspace, programs = folder / "workspace", folder / "bin"
        self.workspace.mkdir()
        programs.mkdir()
        docker = programs / "docker"
        docker.write_text(
            f'#!/bin/sh\necho "$@" >> {folder}/docker.log\n'
            f'if [ "$1" = inspect ]; then for last; do :; done; echo "${{last%:*}}@{DIGEST}"; fi\n'
        )
        docker.chmod(0o755)
        self.environment = os.environ | {
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        }

    def run(self, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
        this = step(self.document, name)
        assert this["entrypoint"] == "bash"
        args = [word.replace("/workspace/", f"{self.workspace}/") for word in this["args"]]
        where = {names.IMAGE_ROOT: ROOT, None: self.workspace}[this.get("dir")]
        environment = self.environment | variables
        return subprocess.run(["bash", *args], cwd=where, env=environment, capture_output=True, text=True, timeout=300)

    @property
    def docker(self) -> list[str]:
        return (self.folder / "docker.log").read_text().splitlines()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_substitution_is_declared_and_used(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    declared = document.pop("substitutions")
    used = {found[2] or found[3] for found in VARIABLE.finditer(yaml.safe_dump(document)) if found[1] != "$"}
    assert used - BUILT_IN.keys() == set(declared)
    build(path)


def test_the_page_has_the_substitutions() -> None:
    page = "".join((ROOT / "docs" / name).read_text() for name in ("vertex.md", "vertex-automation.md"))
    declared = [yaml.safe_load(path.read_text())["substitutions"] for path in FILES]
    assert set(re.findall(r"\b(_[A-Z]+)=", page)) <= {name for names in declared for name in names}
    table = re.findall(r"^\| `(_[A-Z]+)` \| `(.*?)` \|", page, re.MULTILINE)
    assert {name: value.replace("PROJECT", "${PROJECT_ID}") for name, value in table} == declared[1]


def test_the_tests_run_in_the_python_of_the_image_and_before_anything_is_pushed() -> None:
    document = build(RELEASE)
    tests = step(document, "test")
    assert f"FROM {tests['name']} AS python-1.21\n" in (ROOT / "Dockerfile").read_text()
    done = subprocess.run(["make", "--dry-run", *tests["args"]], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert 'pytest -m "not slow"' in done.stdout
    assert step(document, "push")["waitFor"] == ["test", "build"]
    ids = [each["id"] for each in document["steps"]]
    assert ids.index("push") < ids.index("compile") < ids.index("submit")
    assert not {"compile", "submit"} & {each["id"] for each in document["steps"] if "waitFor" in each}


def test_both_builds_name_the_image_that_the_commands_look_for() -> None:
    from pipeline import config

    loaded, _ = config.load("cifar10", None, ("vertex.project=my-project",))
    assert build(FILES[0])["images"] == [names.image(loaded)]
    image = names.image(loaded).removesuffix(":latest")
    assert step(build(RELEASE), "compile")["name"] == f"{image}:{BUILT_IN['COMMIT_SHA']}"
    assert build(RELEASE)["artifacts"]["objects"]["location"] == f"{names.bucket(loaded)}/release/"


@pytest.mark.parametrize("accelerator", ["cpu", "gpu"])
def test_the_images_are_built_and_pushed_with_the_commit_and_known_by_their_digests(
    accelerator: str, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, build(RELEASE, _ACCELERATOR=accelerator))
    for name in ("build", "push"):
        done = shell.run(name)
        assert done.returncode == 0, done.stderr
    image = "us-central1-docker.pkg.dev/my-project/pipelines/image-classification"
    expected = {"vertex.image": image}
    if accelerator != "cpu":
        expected["vertex.trainer.image"] = f"{image}-{accelerator}"
    built = [line for line in shell.docker if line.startswith("build ")]
    assert [line.split("ACCELERATOR=")[1].split()[0] for line in built] == sorted({"cpu", accelerator})
    pushed = [line.split()[1] for line in shell.docker if line.startswith("push ")]
    assert pushed == [f"{each}:{tag}" for each in expected.values() for tag in (BUILT_IN["COMMIT_SHA"], "latest")]
    lines = (shell.workspace / "images").read_text().splitlines()
    assert lines == [f"--set {key}={each}@{DIGEST}" for key, each in expected.items()]


@pytest.mark.slow
def test_the_spec_is_compiled_with_the_digest_and_submitted_once(tmp_path: Path) -> None:
    shell = Shell(tmp_path, build(RELEASE, _SUBMIT="yes"))
    image = f"us-central1-docker.pkg.dev/my-project/pipelines/image-classification@{DIGEST}"
    (shell.workspace / "images").write_text(f"--set vertex.image={image}\n")
    (shell.workspace / "cloud.yaml").write_text(
        "vertex: {project: my-project}\npreset: photos\ndata: {source: gs://my-project-pipelines/data/photos}\n"
    )
    done = shell.run("compile")
    assert done.returncode == 0, done.stderr
    spec = json.loads((shell.workspace / "pipeline.json").read_text())
    executors = spec["pipelineSpec"]["deploymentSpec"]["executors"].values()
    assert {each["container"]["image"] for each in executors if "container" in each} == {image}

    cloud = GoogleCloud()
    cloud.objects = ["data/photos/cat/1.png"]
    with serving(cloud, tmp_path) as environment:
        missing = shell.run("submit", **environment)
        assert missing.returncode == 2, missing.stderr
        assert f"the image {image} does not exist" in missing.stderr
        cloud.images.add(f"image-classification/versions/{DIGEST}")
        for _ in range(2):
            done = shell.run("submit", **environment)
            assert done.returncode == 0, done.stderr
    assert "it exists already" in done.stdout
    assert list(cloud.jobs) == [f"build-{BUILT_IN['BUILD_ID']}"]


def test_nothing_is_submitted_unless_asked_for(tmp_path: Path) -> None:
    done = Shell(tmp_path, build(RELEASE)).run("submit")
    assert (done.returncode, done.stdout) == (0, "_SUBMIT is not yes: nothing is submitted\n")
