"""Answers of commands about real runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.cli import main
from tests.runs import History


@pytest.fixture
def ask(history: History, capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command prints: an object if asked for --json."""

    def answer(*words: str) -> Any:
        capsys.readouterr()
        assert main([*words, "--run-dir", str(history.folder)]) == 0
        said = capsys.readouterr().out
        return json.loads(said) if "--json" in words else said

    return answer
