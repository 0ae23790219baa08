"""An answer or a mistake needs none of Google's libraries, and so no wait."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline import ROOT


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("submit", "--help"), "--job-id"),
        (("schedule", "--cron", "daily"), "'daily' has 1 fields, not five"),
        (("submit", "--spec", "none.json"), "none.json: no such file; `vertex compile --output none.json` writes it"),
        (("submit", "--param", "epochs"), "'epochs': write it as key=value"),
        (("submit", "--job-id", "My job"), "'My job': small letters, digits and -, a letter first"),
        (("submit",), "error: no project is configured: --set vertex.project=NAME"),
        (("status",), "error: no project is configured: --set vertex.project=NAME"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_answer_needs_no_heavy_import(words: tuple[str, ...], message: str) -> None:
    code = f"""
import sys
from pipeline.cli import main
try:
    code = main(["vertex", *{list(words)!r}])
except SystemExit as ended:
    code = ended.code
print(code, [name for name in ("google.auth", "google.cloud.aiplatform", "tensorflow", "tfx") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert message in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == ("0 []" if "--help" in words else "2 []")
