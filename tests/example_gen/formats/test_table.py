"""Tables of paths and labels as people write them: CSV, JSON Lines and Parquet; columns, splits, rejects, mistakes."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from components.contracts import features as f
from components.errors import UserError
from components.example_gen import sources
from components.example_gen.driver import fingerprint
from components.example_gen.formats import detect, table_rows
from components.example_gen.formats.base import USUAL, Features, Listing
from tests.datasets import png
from tests.example_gen import datasets

Rows = Sequence[Mapping[str, object]]


def write_csv(path: Path, rows: Rows) -> None:
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    path.write_text("".join(",".join("" if cell is None else str(cell) for cell in line) + "\n" for line in lines))


def write_json_lines(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_parquet(path: Path, rows: Rows) -> None:
    datasets.parquet(path, {key: [row[key] for row in rows] for key in rows[0]})


WRITERS: dict[str, Callable[[Path, Rows], None]] = {
    "pets.csv": write_csv, "pets.jsonl": write_json_lines, "pets.parquet": write_parquet,
}  # fmt: skip


def images(root: Path, count: int) -> list[str]:
    """Write images; return their paths."""
    content = {f"images/{i:02d}.png": png(datasets.pixels_of(i)) for i in range(count)}
    datasets.folder(root, content)
    return list(content)


def rows_of(path: Path, features: Features = USUAL) -> list[tuple[str, str | int, str]]:
    return [(row.path, row.label, row.problem) for row in table_rows.read(str(path), features).rows]


@pytest.mark.parametrize(
    ("name", "labels"), [("pets.csv", ("cat", "dog")), ("pets.jsonl", (1, 10)), ("pets.parquet", (1, 10))]
)
def test_a_table_gives_the_examples_of_a_folder(tmp_path: Path, name: str, labels: tuple[object, object]) -> None:
    paths = images(tmp_path, 30)
    rows = [{"path": path, "label": labels[i % 2]} for i, path in enumerate(paths)]
    WRITERS[name](tmp_path / name, rows)
    source = sources.locate(str(tmp_path / name), "")
    assert source.name in ("pets", "pets.parquet")
    outcome = datasets.run(source, tmp_path / "a" / "out")
    assert [int(name) if name.isdigit() else name for name in outcome.counts["class_names"]] == list(labels)
    assert {example[f.SOURCE].decode() for example in outcome.all} == set(paths)
    assert outcome.counts["notes"] == [f"{name}: images by the column 'path', their classes by 'label'"]
    content = {f"{row['label']}/{Path(row['path']).name}": (tmp_path / row["path"]).read_bytes() for row in rows}
    folder = datasets.run(datasets.folder(tmp_path / "folder", content), tmp_path / "b" / "out")
    for split in f.SPLITS:
        pixels = [sorted(example[f.PIXELS_SHA256] for example in some.splits[split]) for some in (outcome, folder)]
        assert pixels[0] == pixels[1]
        assert pixels[0]


@pytest.mark.parametrize("name", WRITERS)
def test_a_column_gives_the_splits(tmp_path: Path, name: str) -> None:
    paths = images(tmp_path, 22)
    splits = ["Training"] * 14 + ["val"] * 4 + ["eval"] * 2 + ["", None]  # eval is test: there is no other
    rows = [
        {"image": path, "category": f"c{i % 2}", "split": split} for i, (path, split) in enumerate(zip(paths, splits))
    ]
    WRITERS[name](tmp_path / name, rows)
    outcome = datasets.run(tmp_path / name, tmp_path / "out")
    assert {split: len(examples) for split, examples in outcome.splits.items()} == {
        "train": 14, "validation": 4, "test": 2,
    }  # fmt: skip
    assert outcome.reasons() == dict.fromkeys(paths[-2:], "no split")
    assert "the splits by 'split'" in outcome.counts["notes"][0]


def test_a_column_gives_the_splits_of_parquet_with_images(tmp_path: Path) -> None:
    raw = [png(datasets.pixels_of(i)) for i in range(20)]
    columns = {"image": raw, "label": [i % 2 for i in range(20)], "split": ["train"] * 12 + ["test"] * 7 + [None]}
    path = datasets.parquet(tmp_path / "pets.parquet", columns, row_group_size=5)
    outcome = datasets.run(path, tmp_path / "out")
    assert sorted(example[f.IMAGE] for example in outcome.splits["test"]) == sorted(raw[12:19])
    assert outcome.reasons() == {"pets.parquet:19": "no split"}
    assert outcome.counts["notes"] == ["the splits are those of the column 'split'"]


def test_a_column_of_something_else_is_not_read(tmp_path: Path) -> None:
    rows = [{"path": path, "label": i % 2, "subset": "AB"[i % 2]} for i, path in enumerate(images(tmp_path, 12))]
    write_csv(tmp_path / "a.csv", rows)
    outcome = datasets.run(tmp_path / "a.csv", tmp_path / "out")
    assert len(outcome.all) == 12
    assert outcome.counts["notes"] == [
        "a.csv: images by the column 'path', their classes by 'label'; 'subset' is not read"
    ]


def test_a_pattern_of_tables_whose_names_give_the_splits(tmp_path: Path) -> None:
    paths = images(tmp_path, 20)
    for split, some in (("train", paths[:15]), ("test", paths[15:])):
        write_csv(tmp_path / f"{split}.csv", [{"file": path, "class": f"c{i % 2}"} for i, path in enumerate(some)])
    outcome = datasets.run(tmp_path / "*.csv", tmp_path / "out")
    assert {example[f.SOURCE].decode() for example in outcome.splits["test"]} == set(paths[15:])
    assert sources.locate(str(tmp_path / "*.csv"), "").format == "table"


@pytest.mark.parametrize("name", WRITERS)
def test_rows_that_cannot_be_used_are_rejected_each_with_its_reason(tmp_path: Path, name: str) -> None:
    paths = images(tmp_path, 10)
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "images.zip").write_bytes(b"PK")
    rows = [{"path": path, "label": f"c{i % 2}"} for i, path in enumerate(paths)]
    odd = {
        "gone.png": "cannot be read (No such file or directory)",
        "images": "cannot be read (Is a directory)",
        "text.png": "not an image but text",
        "images.zip": "an archive: extract it, or give it by itself",
        "https://example.com/1.png": "a URL, which is not downloaded: download the image, and let the table name its "
        "path",
    }
    rows += [{"path": path, "label": "c0"} for path in odd] + [{"path": "images/00.png", "label": None}]
    WRITERS[name](tmp_path / name, rows)
    outcome = datasets.run(tmp_path / name, tmp_path / "out")
    reasons = outcome.reasons()
    assert reasons.pop("images/00.png") == ("no label: null" if name == "pets.parquet" else "no label")
    assert reasons == odd
    assert len(outcome.all) == 10


def test_a_file_under_two_labels_is_two_examples(tmp_path: Path) -> None:
    """So that DataGate finds the conflict by the pixels, as it does for two copies in a folder."""
    paths = images(tmp_path, 10)
    rows = [{"path": path, "label": f"c{i % 2}"} for i, path in enumerate(paths)] + [{"path": paths[0], "label": "c1"}]
    write_csv(tmp_path / "a.csv", rows)
    outcome = datasets.run(tmp_path / "a.csv", tmp_path / "out")
    classes = Counter(example[f.CLASS_NAME] for example in outcome.all if example[f.SOURCE].decode() == paths[0])
    assert classes == {b"c0": 1, b"c1": 1}


def test_paths_that_are_absolute_or_lead_elsewhere(tmp_path: Path) -> None:
    images(tmp_path / "elsewhere", 12)
    (tmp_path / "tables").mkdir()
    names = [f"{i:02d}.png" for i in range(12)]
    starts = (str(tmp_path / "elsewhere" / "images") + "/", "../elsewhere/images/", "..\\elsewhere\\images\\")
    rows = [{"path": starts[i % 3] + name, "label": f"c{i % 2}"} for i, name in enumerate(names)]
    write_csv(tmp_path / "tables" / "a.csv", rows)
    outcome = datasets.run(tmp_path / "tables" / "a.csv", tmp_path / "out")
    assert (len(outcome.all), outcome.rejected) == (12, [])


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na.png,cat\nb.png,dog\n",
        "\ufeffpath,label\r\na.png,cat\r\nb.png,dog\r\n",
        "path;label\na.png;cat\nb.png;dog",
        "path\tlabel\na.png\tcat\nb.png\tdog\n\n",
        "id| Path |Label\n1|a.png|cat\n2|b.png|dog\n",
        '"File Name", "Class","notes"\n"a.png", "cat","a, b"\n"b.png"," dog ","two ""words"""\n,,\n',
        ",image,label\n0,a.png,cat\n1,b.png,dog\n",
        "label,image-path\ncat,a.png\ndog,b.png\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_csv_as_people_write_it(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    assert rows_of(path) == [("a.png", "cat", ""), ("b.png", "dog", "")]


def test_named_columns(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [{"path": "no.png", "label": "no", "photo": "a.png", "Breed": "cat"}])
    assert rows_of(tmp_path / "a.csv", Features("photo", "breed")) == [("a.png", "cat", "")]
    write_parquet(tmp_path / "a.parquet", [{"path": "no.png", "label": "no", "photo": "a.png", "breed": "cat"}])
    listing = Listing.at(str(tmp_path / "a.parquet"))
    assert list(detect.chosen("parquet", listing).referenced(listing, Features("photo", "breed"))) == ["a.png"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("3", ("3", "")),
        (3, ("3", "")),
        ("007", ("007", "")),
        (True, ("true", "")),
        ("  ", ("", "no label")),
        (-1, ("", "no label: -1, which stands for unlabelled")),
        (1.5, ("", "no label: 1.5 is neither text nor a whole number")),
        (["cat"], ("", "no label: ['cat'] is neither text nor a whole number")),
    ],
)
def test_labels(tmp_path: Path, label: object, expected: tuple[str, str]) -> None:
    write_json_lines(tmp_path / "a.jsonl", [{"path": "a.png", "label": label}])
    assert rows_of(tmp_path / "a.jsonl") == [("a.png", *expected)]


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    rows = [{"path": path, "label": f"c{i % 2}"} for i, path in enumerate(images(tmp_path, 10))]
    write_json_lines(
        tmp_path / "a.jsonl", [*rows, {"path": "a\0b.png", "label": "c0"}, {"path": "\ud800", "label": "c0"}]
    )
    outcome = datasets.run(tmp_path / "a.jsonl", tmp_path / "out")
    assert set(outcome.reasons().values()) == {"cannot be read (no file can have this name)"}
    assert fingerprint(str(tmp_path / "a.jsonl"), "table").endswith("num_files:13")


MISTAKES: dict[str, tuple[bytes, str]] = {
    "latin-1": ("path,label\na.png,caf\u00e9\n".encode("latin-1"), "not UTF-8 in line 2. Save it as UTF-8"),
    "zero bytes": (b"path,label\na.png,\0\n", "holds zero bytes, so it is not text"),
    "an image": (png(datasets.pixels_of(1)), "not UTF-8 in line 1"),
    "no image": (b"id,label\n1,cat\n", r"no column any of file_name, .* for the image; its first line has id, label\. "
                 r"Name it by data\.features\.image"),
    "no label": (b"path,breed\na.png,cat\n", r"no column any of class_name, .* for the label; .*data\.features\.label"),
    "no first line": (b"a.png,cat\nb.png,dog\n", r"for the image; its first line has a\.png, cat"),
    "twice": (b"path,label,Label\na.png,cat,dog\n", "2 columns are called 'label'"),
    "ragged": (b"path,label\na.png,cat\nb.png,dog,brown\n", "line 3 has 3 fields, and the first line names 2 columns"),
    "open quotes": (b'path,label\na.png,"cat\nb.png,dog\n', r"cannot be read as CSV \(unexpected end of data\)"),
    "only a first line": (b"path,label\n", "no rows in it"),
    "only blank lines": (b"\n\n", "no column any of .* for the image; its first line has none"),
    "nothing there": (b"path,label\na.png,cat\nb.png,dog\n", "none of the 2 files that it names is there, as "
                      r".*/a\.png\. Its paths are relative to its folder"),
    "half of the splits": (b"path,label,split\nhere.png,cat,train\nhere.png,dog,day\n",
                           "in its column for the split, train name one and day names none"),
    "no train": (b"path,label,split\nhere.png,cat,test\nhere.png,dog,test\n", "its rows are all for test"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_get_one_clear_line(tmp_path: Path, name: str) -> None:
    raw, message = MISTAKES[name]
    (tmp_path / "here.png").write_bytes(png(datasets.pixels_of(1)))
    path = tmp_path / "pets.csv"
    path.write_bytes(raw)
    with pytest.raises(UserError, match=rf"pets\.csv: .*{message}") as caught:
        datasets.run(path, tmp_path / "out")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("{}\n[1]\n", "line 2 is no JSON object"), ('{"path": 1}\n{"a', "line 2 is not JSON")]
)
def test_mistakes_in_json_lines(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(UserError, match=rf"a\.jsonl: {message}") as caught:
        rows_of(tmp_path / "a.jsonl")
    assert "\n" not in str(caught.value)


def test_files_of_images_and_files_of_paths_are_refused_together(tmp_path: Path) -> None:
    paths = images(tmp_path / "pets", 2)
    write_parquet(tmp_path / "pets" / "a.parquet", [{"image": path, "label": 0} for path in paths])
    datasets.parquet(tmp_path / "pets" / "b.parquet", {"image": pa.array([b"x"]), "label": [0]})
    with pytest.raises(UserError, match="some of its files hold images and others paths of images"):
        detect.inventory("parquet", str(tmp_path / "pets" / "*.parquet"))


@pytest.mark.parametrize("name", WRITERS)
def test_the_fingerprint_covers_the_images(tmp_path: Path, name: str) -> None:
    paths = images(tmp_path, 3)
    WRITERS[name](tmp_path / name, [{"path": path, "label": f"c{i}"} for i, path in enumerate(paths)])
    source = sources.locate(str(tmp_path / name), "")

    def now() -> str:
        return fingerprint(source.path, source.format)

    first = now()
    assert first.endswith("num_files:4")
    status = (tmp_path / paths[1]).stat()
    (tmp_path / paths[1]).write_bytes((tmp_path / paths[1]).read_bytes()[:-1] + b"x")
    os.utime(tmp_path / paths[1], ns=(status.st_atime_ns, status.st_mtime_ns))
    second = now()
    assert second != first
    (tmp_path / paths[1]).unlink()
    assert now() not in (first, second)
