"""The stages as a person sees them, on a terminal and without one."""

from __future__ import annotations

import io

from pipeline.platforms.stage_table import StageTable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def walk(file: io.StringIO) -> str:
    with StageTable(["ExampleGen", "DataGate", "Transform"], file) as screen:
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
