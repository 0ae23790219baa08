"""The table of the images that the gate found."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from components.contracts import findings, rejects
from components.contracts.findings import Finding
from components.contracts.rejects import Rejection

LEAK = [
    {"split": "train", "class_name": "cat", "source": "a.png"},
    {"split": "test", "class_name": "cat", "source": "b.png"},
]


def table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def test_each_image_is_a_row(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    examples.mkdir()
    damaged = [Rejection(f"{i:03}.png", "truncated", "cat") for i in range(150)]
    rejects.write(str(examples), [*damaged, Rejection("copy.png", "same pixels", "cat", "000.png")])
    few = [row.to_json() for row in damaged[:3]]
    listed = [
        Finding("rejected", "stop", "150 images cannot be used", 150, few),
        Finding("leaks", "warn", "1 image is in both", 1, [{"pictures": LEAK}]),
        Finding("anomalies", "stop", "test has no images", 0),
        Finding("anomalies", "stop", "Class 'dog' has none in train", 3, [{"class_name": "dog", "split": "test"}]),
    ]
    findings.write_csv(tmp_path / "findings.csv", listed, str(examples))
    rows = table(tmp_path / "findings.csv")
    assert [row["path"] for row in rows[:150]] == [row.source for row in damaged], "all, not the few of the finding"
    assert list(rows[0]) == ["split", "class", "path", "check", "action", "message"]
    assert list(rows[0].values()) == ["", "cat", "000.png", "rejected", "stop", "truncated"]
    assert [list(row.values()) for row in rows[150:]] == [
        ["train", "cat", "a.png", "leaks", "warn", "exactly the same pixels as b.png"],
        ["test", "cat", "b.png", "leaks", "warn", "exactly the same pixels as a.png"],
        ["", "", "", "anomalies", "stop", "test has no images"],
        ["test", "dog", "", "anomalies", "stop", "Class 'dog' has none in train"],
    ]


def test_copies_that_were_left_out_are_a_finding_of_their_own(tmp_path: Path) -> None:
    copy = Rejection("copy.png", "same pixels", "cat", "000.png")
    rejects.write(str(tmp_path), [Rejection("bad.png", "truncated", "cat"), copy])
    finding = Finding("rejected", "stop", "too many copies", 1, [copy.to_json()])
    findings.write_csv(tmp_path / "findings.csv", [finding], str(tmp_path))
    (row,) = table(tmp_path / "findings.csv")
    assert (row["path"], row["message"]) == ("copy.png", "same pixels: 000.png")


@pytest.mark.parametrize("name", ["a,b.png", 'quote".png', "line\nbreak.png", "日本.png", "latin\udce9.png"])
def test_a_path_is_what_it_was(name: str, tmp_path: Path) -> None:
    image = {"split": "train", "class_name": "cat", "source": name}
    findings.write_csv(tmp_path / "findings.csv", [Finding("leaks", "stop", "x", 1, [{"pictures": [image]}])], None)
    assert table(tmp_path / "findings.csv")[0]["path"] == name


def test_the_settings_that_continue() -> None:
    assert findings.settings_to_continue("leaks") == ["gate.conflicts=drop", "gate.leaks=drop"]
    assert findings.settings_to_continue("conflicts") == ["gate.conflicts=drop"]
    assert findings.settings_to_continue("rejected") == ["gate.rejected=warn"]
