"""What the documentation says exists, and its commands run.

A block of commands that the tests cannot run has a comment above it: `<!-- not run: download -->`, or `long`, `cloud`,
`interactive`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import ALL_STAGES, ROOT
from pipeline.cli import COMMANDS, parser
from tests.datasets import write_folder
from tools import docs

PAGES = sorted(
    page.relative_to(ROOT)
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    if page.name not in ("CHANGELOG.md", "cli.md")
)
REASONS = ("download", "long", "cloud", "interactive")
COMMAND = "image-pipeline "


def blocks(page: Path) -> Iterator[tuple[str | None, list[str]]]:
    """Yield (why it is not run, lines) of each indented block of a page."""
    reason: str | None = None
    for part in re.split(r"\n{2,}", (ROOT / page).read_text()):
        if mark := re.fullmatch(r"<!-- not run: (\w+) -->", part.strip()):
            reason = mark[1]
            assert reason in REASONS, f"{page}: {reason}"
        elif part.startswith("    "):
            yield reason, part.splitlines()
            reason = None


def commands(page: Path) -> list[tuple[str | None, str]]:
    """Return (why it is not run, the line without its prompt and comment) of each command of this project."""
    found = []
    for reason, lines in blocks(page):
        for line in lines:
            text = line.strip().removeprefix("$ ")
            if text.startswith(COMMAND):
                found.append((reason, re.split(r"\s+# ", text)[0]))
    return found


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "docs/README.md", "docs/api.md", "docs/cli.md", "docs/config.md"])
def test_what_is_generated_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text() == docs.pages()[name], "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_of_a_page_is_understood(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cifar10.json").write_text("{}")  # written by another command of the page
    for _, line in commands(page):
        words = [word for word in shlex.split(line)[1:] if word != "…"]
        try:
            parser(words).parse_args(words)
        except SystemExit as stop:
            if stop.code:
                pytest.fail(f"{page}: {line}")


def test_every_command_and_every_stage_is_documented() -> None:
    lines = [line for page in PAGES for _, line in commands(page)]
    assert [name for name in COMMANDS if not any(line.startswith(f"{COMMAND}{name}") for line in lines)] == []
    architecture = (ROOT / "ARCHITECTURE.md").read_text()
    assert [stage for stage in ALL_STAGES if stage not in architecture] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_links_and_make_targets_of_a_page_exist(page: Path) -> None:
    text = (ROOT / page).read_text()
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / page.parent / link).exists(), f"{page}: {link}"
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = re.findall(r"^    (?:\$ )?make ((?:[a-z-]+ ?)+)", text, re.MULTILINE) + re.findall(r"`make ([a-z-]+)", text)
    assert {target for line in used for target in line.split()} <= targets


def test_the_files_that_the_recipes_name_exist() -> None:
    recipes = (ROOT / "CONTRIBUTING.md").read_text().split("# Recipes")[1]
    paths = re.findall(r"`((?:pipeline|components|tests|docs|tools)/[\w./-]+)`", recipes)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.slow
def test_the_commands_of_the_readme_run(tmp_path: Path) -> None:
    """One after the other, in one folder, each with exit code 0."""
    write_folder(tmp_path / "photos", train=20, test=10)
    image = next((tmp_path / "photos").rglob("*.png"))
    (tmp_path / "five.png").write_bytes(image.read_bytes())
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": programs, "HOME": str(tmp_path), "BROWSER": "true"}

    def run(line: str) -> str:
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    run("image-pipeline run")  # which `make run` is
    for reason, line in commands(Path("README.md")):
        if reason is None:
            if "RUN RUN" in line:
                runs = [text.split()[0] for text in run("image-pipeline runs").splitlines()[1:3]]
                line = line.replace("RUN RUN", " ".join(runs))
            run(line.replace("PATH", "photos"))
