"""The completion script in a real bash."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from pipeline.cli import COMMANDS, completion


def completed(line: str) -> list[str]:
    """What bash offers for the last word of a line."""
    words = line.split(" ")
    listed = " ".join(map(shlex.quote, words))
    code = f"""
{completion.script()}
COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}
_image_pipeline
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-u", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("image-pipeline pre", ["predict"]),
        ("image-pipeline ru", ["run", "runs"]),
        ("image-pipeline run --w", ["--warm-start"]),
        ("image-pipeline run --from Tra", ["Transform", "Trainer"]),
        ("image-pipeline run photos --to Ev", ["Evaluator"]),
        ("image-pipeline vertex s", ["submit", "schedule", "status"]),
        ("image-pipeline vertex submit --no", ["--no-wait"]),
        ("image-pipeline schema freeze --f", ["--force"]),
        ("image-pipeline runs --pre", []),  # it is read there, and changes nothing
        ("image-pipeline predict fi", []),  # files are bash's own
    ],
)
def test_what_bash_offers(line: str, offered: list[str]) -> None:
    assert completed(line) == offered


def test_every_command_is_offered() -> None:
    assert completed("image-pipeline ")[: len(COMMANDS)] == list(COMMANDS)
