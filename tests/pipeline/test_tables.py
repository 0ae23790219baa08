"""Tables on terminals of several widths, and in a pipe."""

from __future__ import annotations

import io

import pytest

from pipeline import tables

ROWS = [
    ("accuracy", "91.62% (86.64% to 94.86%)".replace(" to ", f"{tables.SOLID}to{tables.SOLID}"), "-4.47 points, worse"),
    ("recall of 'automobile'", "100.00%", "the same"),
    ("images", "50,000"),
]


def test_a_row_is_a_line_where_there_is_no_terminal() -> None:
    file = io.StringIO()
    tables.print_table([("key:", "x" * 500, "# --set"), ("other:", "1")], indent=0, file=file)
    assert file.getvalue() == f"key:    {'x' * 500}  # --set\nother:  1\n"


@pytest.mark.parametrize("width", [45, 50, 60, 80, 120])
def test_no_word_is_broken_and_no_line_too_long(width: int) -> None:
    lines = tables.lines(ROWS, tables.fit(ROWS, width, gap=2), gap=2)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert sorted(words) == sorted(" ".join(cell for row in ROWS for cell in row).replace(tables.SOLID, " ").split())
    assert any("(86.64% to 94.86%)" in line for line in lines)


def test_only_a_word_wider_than_the_terminal_is_broken() -> None:
    rows = [("path", "/a/very/long/path/of/an/image.png"), ("images", "50,000")]
    widths = tables.fit(rows, 20, gap=2)
    assert tables.lines(rows, widths, gap=2) == [
        "path    /a/very/long",
        "        /path/of/an/",
        "        image.png",
        "images  50,000",
    ]


def test_numbers_are_aligned_at_the_right_and_wide_characters_count_twice() -> None:
    rows = [("日本", "1"), ("a", "20")]
    assert tables.lines(rows, tables.fit(rows, 80, gap=1), gap=1, right=[1]) == ["日本  1", "a    20"]


def test_the_least_widths_give_way_to_a_narrow_terminal() -> None:
    assert tables.fit([("a", "b")], 80, gap=1, least=(28, 30)) == [28, 30]
    assert sum(tables.fit([("a", "b")], 40, gap=1, least=(28, 30))) == 39


@pytest.mark.parametrize(("width", "text"), [(20, "/data/cats"), (8, "/da…cats"), (5, "/d…ts")])
def test_the_middle_is_left_out(width: int, text: str) -> None:
    assert tables.shortened("/data/cats", width) == text


def test_a_text_continues_below_itself_and_a_path_stays_whole() -> None:
    assert tables.titled("note", "one two three", 20) == ["note      one two", "          three"]
    path = "/a/path/that/is/wider/than/the/terminal"
    assert tables.titled("log", path, 20) == [f"log       {path}"]
    assert tables.titled("config", "", 20) == ["config"]
    assert tables.titled("cannot be compared", "", 20) == ["cannot be compared"]
