"""Leaks, conflicts and duplicates through Beam, on real TFRecords."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import apache_beam as beam
from hypothesis import given
from hypothesis import strategies as st

from components.contracts import features as f
from components.contracts.findings import CONFLICTS, DUPLICATES, KEPT, LEAKS, Finding
from components.data_gate.duplicates import _compare, find_duplicates
from tests.data_gate.factories import edited, write
from tests.datasets import digits
from tests.factories import BEAM_ARGS

STOP = {LEAKS: "stop", CONFLICTS: "stop", DUPLICATES: "stop"}


def find(
    folder: Path,
    splits: dict[str, list[bytes]],
    files: int = 1,
    gzip: bool = True,
    actions: Mapping[str, str] = STOP,
) -> list[Finding]:
    write(folder, splits, files=files, gzip=gzip)
    paths = {s: sorted(str(p) for p in (folder / f"Split-{s}").iterdir()) for s in f.SPLITS}
    found, records = find_duplicates(beam.Pipeline(argv=BEAM_ARGS), paths, str(folder / "scratch"), actions)
    assert records == {split: len(splits.get(split, [])) for split in f.SPLITS}
    assert not (folder / "scratch").exists()
    return found


def test_nothing_is_found_in_sound_data(tmp_path: Path) -> None:
    assert find(tmp_path, {f.TRAIN: digits(0, 50), f.VALIDATION: digits(50, 60), f.TEST: digits(60, 70)}) == []


def test_the_same_findings_however_the_data_is_stored(tmp_path: Path) -> None:
    train, validation, test = digits(0, 50), digits(50, 60), digits(60, 70)
    validation.append(edited(train[0], source=b"v/0"))
    test += [edited(train[0], source=b"t/0"), edited(validation[1], source=b"t/1", class_name=b"9")]
    train += [edited(train[2], source=b"copy/2"), edited(train[2], source=b"copy/1")]
    splits = {f.TRAIN: train, f.VALIDATION: validation, f.TEST: test}
    found = find(tmp_path / "one", splits)
    shuffled = {split: records[::-1] for split, records in splits.items()}
    assert find(tmp_path / "many", shuffled, files=3, gzip=False) == found
    assert [(finding.kind, finding.count) for finding in found] == [
        (LEAKS, 1),
        (LEAKS, 1),
        (LEAKS, 2),
        (CONFLICTS, 1),
        (DUPLICATES, 2),
    ]
    assert [finding.message.split(" (")[0] for finding in found] == [
        "1 image is in both train and validation",
        "1 image is in both train and test",
        "2 images are in both validation and test",
        "1 image is under more than one label",
        "2 images in train repeat others",
    ]
    assert found[-1].examples == [
        {
            "pictures": [
                {"split": "train", "class_name": "2", "source": source}
                for source in ("copy/1", "copy/2", "digits/2/2.png")
            ]
        }
    ]


def test_only_what_is_asked_for(tmp_path: Path) -> None:
    train = digits(0, 5)
    splits = {f.TRAIN: [*train, train[0]], f.VALIDATION: digits(5, 8), f.TEST: train[:1]}
    (finding,) = find(tmp_path, splits, actions={DUPLICATES: "warn"})
    assert (finding.kind, finding.action) == (DUPLICATES, "warn")
    assert finding.message.endswith("Remove the copies.")


def test_many_findings_show_a_few_and_keep_some(tmp_path: Path) -> None:
    train = digits(0, 150)
    (finding,) = find(tmp_path, {f.TRAIN: train, f.VALIDATION: digits(150, 151), f.TEST: train})
    assert (finding.count, len(finding.examples), finding.message.count(" = ")) == (150, KEPT, 5)


def test_hostile_names_stay_on_one_line_in_words_and_whole_in_json(tmp_path: Path) -> None:
    names = ["a\nb.png", "\u202egnp.exe", "<script>alert(1)</script>", "\x1b[31mred", "日本語 'x'.png"]
    train = [edited(record, source=name.encode()) for record, name in zip(digits(0, 5), names)]
    bad = [edited(record, source=b"\xff\x00" + str(i).encode()) for i, record in enumerate(train)]
    (finding,) = find(tmp_path, {f.TRAIN: train, f.VALIDATION: digits(5, 8), f.TEST: bad})
    assert finding.message.isprintable()
    kept = {example["pictures"][0]["source"] for example in finding.examples}
    assert kept == set(names)


def test_an_image_without_hash_is_left_to_the_anomalies(tmp_path: Path) -> None:
    train = digits(0, 5)
    without = [edited(record, pixels_sha256=None) for record in train]
    partly = [*without, train[4]]
    (finding,) = find(tmp_path, {f.TRAIN: train, f.VALIDATION: without, f.TEST: partly})
    assert finding.message.startswith("1 image is in both train and test")


cells = st.tuples(st.sampled_from(f.SPLITS), st.sampled_from([b"cat", b"dog", b"\xff"]), st.binary(max_size=3))


@given(st.lists(cells, min_size=1, max_size=12), st.randoms())
def test_comparing_a_group(pictures: list[tuple[str, bytes, bytes]], random: object) -> None:
    found = dict(_compare((b"hash", pictures)))
    splits = {split for split, _, _ in pictures}
    classes = {name for _, name, _ in pictures}
    leaks = [key for key in found if key[0] == LEAKS]
    assert len(leaks) == len(splits) * (len(splits) - 1) // 2
    assert ((CONFLICTS,) in found) == (len(classes) > 1)
    shuffled = list(pictures)
    random.shuffle(shuffled)
    assert dict(_compare((b"hash", shuffled))) == found
    surplus = sum(count for key, count in _duplicates(pictures))
    assert sum(n for key, (n, _) in _compare((b"hash", pictures)) if key[0] == DUPLICATES) == surplus


def _duplicates(pictures: list[tuple[str, bytes, bytes]]) -> list[tuple[tuple[str, bytes], int]]:
    groups = {(split, name) for split, name, _ in pictures}
    return [(group, sum(picture[:2] == group for picture in pictures) - 1) for group in groups]
