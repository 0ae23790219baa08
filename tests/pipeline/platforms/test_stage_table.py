"""The stages as a person sees them, on a terminal and without one."""

from __future__ import annotations

import io

import pytest

from pipeline.platforms import stage_table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def walk(file: io.StringIO) -> str:
    with stage_table.make(["ExampleGen", "DataGate", "Transform"], file) as screen:
        screen.status("loading TensorFlow and TFX")
        screen.transfer("downloading x.tar.gz", 30_000_000, 160_000_000)
        screen.started("ExampleGen")
        screen.progress("1,000 images")
        screen.ended("ExampleGen", "done", 1.25)
        screen.started("DataGate")
        screen.ended("DataGate", "refused", 0.5)
    return file.getvalue()


def test_plain_lines_where_there_is_no_terminal() -> None:
    assert walk(io.StringIO()).splitlines() == [
        "loading TensorFlow and TFX",
        "downloading x.tar.gz: 30 of 160 MB",
        "  ExampleGen        done        1.2 s  1,000 images",
        "  DataGate          refused     0.5 s",
    ]


def test_a_live_table_on_a_terminal() -> None:
    shown = walk(Terminal())
    assert "\x1b[" in shown
    last = shown[shown.rindex("ExampleGen") :]
    for words in ("done", "refused", "not run"):
        assert words in last


def test_at_most_a_line_of_progress_in_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(stage_table.time, "monotonic", lambda: now)
    file = io.StringIO()
    with stage_table.make(["Trainer"], file) as screen:
        for second in range(35):
            now = 100.0 + second
            screen.transfer("downloading x.tar.gz", second * 10**6, 35 * 10**6)
        screen.transfer("downloading y.tar.gz", 0, 35 * 10**6)
        screen.started("Trainer")
        for second in range(25):
            now = 200.0 + second
            screen.progress(f"step {second}")
    lines = file.getvalue().splitlines()
    downloads = [f"downloading x.tar.gz: {second} of 35 MB" for second in (0, 10, 20, 30)]
    assert lines[:5] == [*downloads, "downloading y.tar.gz: 0 of 35 MB"]
    assert [line.split()[-1] for line in lines[5:]] == ["0", "10", "20"]
