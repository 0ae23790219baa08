"""The whole gate, behind the stock stages: what it lets pass, what it stops, and how it says so."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from components.contracts import features as f
from components.contracts.findings import FINDINGS_FILE, KINDS, TRAIN_STATISTICS_FILE
from components.contracts.rejects import Rejection
from components.errors import GateRefused
from pipeline import ROOT
from tests.data_gate.factories import STOP, Stages, edited, write
from tests.datasets import digits

pytestmark = pytest.mark.slow

SCHEMA = ROOT / "schema" / "digits" / "schema.pbtxt"


def splits(train: int = 600, validation: int = 200, test: int = 200) -> dict[str, list[bytes]]:
    return {
        f.TRAIN: digits(0, train),
        f.VALIDATION: digits(train, train + validation),
        f.TEST: digits(train + validation, train + validation + test),
    }


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    folder = tmp_path_factory.mktemp("sound")
    rejected = [Rejection("a\nb.png", "truncated", "3")] * 11
    return Stages(folder, write(folder / "examples", splits(), rejected=rejected), SCHEMA)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Every kind of bad data at once, in different splits, against the curated schema."""
    folder = tmp_path_factory.mktemp("broken")
    data = splits()
    train, validation, test = (data[split] for split in f.SPLITS)
    validation[0] = edited(validation[0], class_name="<b>\u202eten\n".encode(), label=10)
    validation[1] = edited(validation[1], height=31, num_bytes=5000)
    validation[2] = edited(validation[2], brightness=None)
    test[0] = edited(test[0], brightness=1.5, channels=4)
    test[1] = edited(test[1], brightness=float("nan"))
    test += [
        edited(train[7], source=b"test/leak.png"),
        edited(train[8], source=b"test/cat.png", class_name=b"3"),
    ]
    train.append(edited(train[9], source=b"train/again.png"))
    return Stages(folder, write(folder / "examples", data), SCHEMA)


def test_sound_data_passes_and_becomes_the_measure_of_the_next(sound: Stages) -> None:
    findings = sound.gate(max_rejected=0.5)
    assert json.loads(Path(findings.uri, FINDINGS_FILE).read_text()) == []
    train = Path(sound.statistics.uri, "Split-train", "FeatureStats.pb").read_bytes()
    assert Path(findings.uri, TRAIN_STATISTICS_FILE).read_bytes() == train
    assert sorted(path.name for path in Path(findings.uri).iterdir()) == [
        FINDINGS_FILE,
        TRAIN_STATISTICS_FILE,
    ]


def test_too_many_rejects(sound: Stages) -> None:
    with pytest.raises(GateRefused) as refused:
        sound.gate()
    examples = "; ".join(["'a\\nb.png'"] * 5)
    assert str(refused.value) == (
        "11 of 1,011 images (1.1%) cannot be used, more than gate.max_rejected (1.0%) allows: "
        f"11 truncated, e.g. {examples}. All are listed in {sound.examples.uri}/rejected.jsonl. "
        "Repair or remove them, or raise gate.max_rejected, or set gate.rejected=warn."
    )
    assert refused.value.findings[0]["examples"][0]["source"] == "a\nb.png"


def test_too_many_dropped(tmp_path: Path) -> None:
    """Copies that ExampleGen dropped have a limit of their own, and do not count for that of unusable images."""
    reason = "same pixels under more than one label"
    rejected = [Rejection(f"a\n{i:03}.png", reason, "3", "b.png") for i in range(120)]
    rejected.append(Rejection("c.png", "truncated", "3"))
    stages = Stages(tmp_path, write(tmp_path / "examples", splits(), rejected=rejected), SCHEMA)
    with pytest.raises(GateRefused) as refused:
        stages.gate()
    examples = "; ".join(f"'a\\n{i:03}.png' = 'b.png'" for i in range(5))
    assert str(refused.value) == (
        "120 of 1,121 images (10.7%) were dropped, more than gate.max_dropped (10.0%) allows: "
        f"120 {reason}, e.g. {examples}. All are listed in {stages.examples.uri}/rejected.jsonl. "
        "Look why so many are alike, or raise gate.max_dropped, or set gate.rejected=warn."
    )
    assert refused.value.findings[0]["examples"][0]["same_as"] == "b.png"
    assert json.loads(Path(stages.gate(max_dropped=0.2).uri, FINDINGS_FILE).read_text()) == []


def test_what_was_to_be_dropped_and_is_still_there_stops(broken: Stages) -> None:
    """ExampleGen ran before the setting, or left a leak that is a conflict because conflicts are not to be dropped."""
    actions = {**dict.fromkeys(KINDS, "off"), "leaks": "drop", "duplicates": "drop"}
    with pytest.raises(GateRefused) as refused:
        broken.gate(actions)
    leaks, duplicates = str(refused.value).split("\n")
    assert leaks.endswith("Remove one of each, or run from ExampleGen with gate.conflicts=drop and gate.leaks=drop.")
    assert duplicates.startswith("1 image in train repeats another")
    assert {finding["action"] for finding in refused.value.findings} == {"stop"}


def test_a_warning_lets_the_run_go_on_and_is_kept(sound: Stages) -> None:
    findings = sound.gate({**STOP, "rejected": "warn"})
    (finding,) = json.loads(Path(findings.uri, FINDINGS_FILE).read_text())
    assert (finding["kind"], finding["action"], finding["count"]) == ("rejected", "warn", 11)
    assert finding["message"].endswith("Repair or remove them, or raise gate.max_rejected.")


def test_off_does_not_look(broken: Stages) -> None:
    findings = broken.gate(dict.fromkeys(KINDS, "off"))
    assert json.loads(Path(findings.uri, FINDINGS_FILE).read_text()) == []


def test_every_kind_of_bad_data_is_named(broken: Stages) -> None:
    with pytest.raises(GateRefused) as refused:
        broken.gate()
    lines = str(refused.value).split("\n")
    assert len(lines) == len(refused.value.findings)
    assert all(line.isprintable() for line in lines)
    expected = {
        "unknown class": ("validation: class_name: Unexpected string values", "<b>\\u202eten\\n"),
        "class unknown to train": ("Class '<b>\\u202eten\\n' has 1 image in validation and none in train.",),
        "label": ("validation: label: Out-of-range values",),
        "size": ("validation: height: Out-of-range values",),
        "bytes": ("validation: num_bytes: Out-of-range values",),
        "missing": ("validation: brightness: Column dropped", "present in fewer examples than expected"),
        "range": ("test: brightness: Out-of-range values",),
        "not a number": ("test: brightness:", "NaN"),
        "bands": ("test: channels: Out-of-range values",),
        "leak": (
            "2 images are in both train and test (exactly the same pixels), e.g. 'digits/7/7.png' = ",
            "'digits/7/7.png' = 'test/leak.png'",
            "Remove one of each, or set gate.leaks=warn.",
        ),
        "conflict": (
            "1 image is under more than one label (exactly the same pixels), e.g. 'test/cat.png' ('3') = "
            "'digits/8/8.png' ('8'). Keep each under the right label alone, or set gate.conflicts=warn.",
        ),
        "duplicate": (
            "1 image in train repeats another (exactly the same pixels), e.g. 'digits/9/9.png' = "
            "'train/again.png'. Remove the copies, or set gate.duplicates=warn.",
        ),
    }
    for kind, parts in expected.items():
        assert any(all(part in line for part in parts) for line in lines), (kind, lines)
    with pytest.raises(GateRefused) as again:
        broken.gate()
    assert again.value.args == refused.value.args


def test_only_the_stopping_findings_are_in_the_message(broken: Stages) -> None:
    with pytest.raises(GateRefused) as refused:
        broken.gate({**dict.fromkeys(KINDS, "warn"), "conflicts": "stop"})
    assert str(refused.value).count("\n") == 0
    assert "under more than one label" in str(refused.value)
    assert {finding["kind"] for finding in refused.value.findings} == set(KINDS) - {"rejected"}


def test_drift_is_measured_against_the_data_accepted_before(sound: Stages, tmp_path: Path) -> None:
    data = splits()
    data[f.TRAIN] = [edited(record, brightness=0.9) for record in data[f.TRAIN]]
    drifted = Stages(tmp_path, write(tmp_path / "examples", data), SCHEMA)
    previous = sound.gate(max_rejected=0.5)
    with pytest.raises(GateRefused) as refused:
        drifted.gate(previous=previous)
    drift, *skew = sorted(str(refused.value).split("\n"), key=lambda line: "data before" not in line)
    assert drift.startswith(
        "train against that of the data before: brightness: "
        "High approximate Jensen-Shannon divergence between current and previous"
    )
    assert [line.split(": ")[0] for line in skew] == ["train against validation", "train against test"]
    with pytest.raises(GateRefused) as refused:
        drifted.gate()
    assert str(refused.value).split("\n") == skew
    sound.gate(max_rejected=0.5, previous=previous)


def test_a_split_without_images(tmp_path: Path) -> None:
    empty = Stages(tmp_path, write(tmp_path / "examples", splits(120, 60, 0)))
    with pytest.raises(GateRefused) as refused:
        empty.gate()
    assert str(refused.value) == "test has no images. Add some, or change data.splits, or set gate.anomalies=warn."


def test_the_refusal_survives_pickling() -> None:
    refusal = pickle.loads(pickle.dumps(GateRefused("why", [{"kind": "leaks"}])))
    assert (str(refusal), refusal.findings) == ("why", [{"kind": "leaks"}])
    assert GateRefused("why").findings == []
