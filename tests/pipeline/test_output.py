"""Where output goes while a stage runs: the log, whatever Python's streams are."""

from __future__ import annotations

import io
import logging
import os
import sys
from pathlib import Path

import pytest

from pipeline.output import duplicated_stream, redirect_output


class Cell(io.StringIO):
    """A stream as a notebook's: it has a descriptor, which is not where its text goes."""

    def fileno(self) -> int:
        return 1


def test_streams_and_handlers_of_a_notebook_write_to_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Cell(), Cell()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    logger = logging.getLogger("of a library")
    early = logging.StreamHandler(err)
    logger.addHandler(early)
    try:
        print("before")
        with redirect_output(tmp_path / "log"):
            print("printed")
            logger.warning("early")
            late = logging.StreamHandler()  # which keeps sys.stderr as it is now
            logger.addHandler(late)
            os.write(1, b"from C++\n")
            os.system("echo of a child")
        assert sys.stdout is out
        assert early.stream is late.stream is err
        print("after")
        with redirect_output(tmp_path / "second"):
            logger.warning("again")
    finally:
        logger.removeHandler(early)
        logger.removeHandler(late)
    lines = (tmp_path / "log").read_text().splitlines()
    assert sorted(lines) == ["early", "from C++", "of a child", "printed"]
    assert (tmp_path / "second").read_text() == "again\nagain\n"
    assert out.getvalue() == "before\nafter\n"
    assert err.getvalue() == ""


def test_the_screen_of_a_notebook_is_its_stream(tmp_path: Path) -> None:
    out = Cell()
    with duplicated_stream(out) as screen, redirect_output(tmp_path / "log"):
        print("shown", file=screen)
    assert out.getvalue() == "shown\n"
    assert (tmp_path / "log").read_text() == ""
