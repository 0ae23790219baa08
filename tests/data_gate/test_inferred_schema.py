"""A new data set: the schema that SchemaGen infers from train makes no false alarm, and misses no new class."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfx.utils import io_utils

from components.contracts import features as f
from components.contracts.findings import FINDINGS_FILE
from components.data_gate.freeze import freeze
from components.errors import GateRefused, UserError
from tests.data_gate.factories import STOP, Stages, edited, write
from tests.datasets import digits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def many_classes(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """150 classes, more than TFDV lists in an inferred schema; images of any size; one class in test alone."""
    folder = tmp_path_factory.mktemp("many")
    records = [
        edited(record, class_name=f"class {i % 150:03}".encode(), label=i % 150, height=20 + i)
        for i, record in enumerate(digits(0, 480))
    ]
    test = [*records[390:479], edited(records[479], class_name=b"new", label=150)]
    data = {f.TRAIN: records[:300], f.VALIDATION: records[300:390], f.TEST: test}
    return Stages(folder, write(folder / "examples", data))


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Classes that look like truth values, and splits that differ in everything a schema must not be inferred of."""
    folder = tmp_path_factory.mktemp("two")
    records = [
        edited(record, class_name=[b"false", b"true"][i % 2], label=i % 2, source=f"картинка {i}".encode())
        for i, record in enumerate(digits(0, 60))
    ]
    validation = [edited(record, height=900, width=1, channels=1, brightness=0.99) for record in records[40:50]]
    return Stages(
        folder, write(folder / "examples", {f.TRAIN: records[:40], f.VALIDATION: validation, f.TEST: records[50:]})
    )


def test_a_class_in_test_alone_is_found_among_many(many_classes: Stages) -> None:
    with pytest.raises(GateRefused) as refused:
        many_classes.gate()
    assert str(refused.value) == (
        "Class 'new' has 1 image in test and none in train. "
        "Add some to train, or remove the class, or set gate.anomalies=warn."
    )


def test_no_false_alarm(two_classes: Stages) -> None:
    findings = two_classes.gate()
    assert json.loads(Path(findings.uri, FINDINGS_FILE).read_text()) == []


def test_a_frozen_schema_takes_the_data_it_was_frozen_from(two_classes: Stages, tmp_path: Path) -> None:
    inferred = Path(two_classes.schema.uri, "schema.pbtxt")
    written = freeze(inferred, ["true", "false"], tmp_path / "two" / "schema.pbtxt")
    text = written.read_text()
    assert text.startswith("# What the data must look like.")
    schema = io_utils.SchemaReader().read(str(written))
    assert [feature.name for feature in schema.feature][:4] == [f.IMAGE, f.LABEL, f.CLASS_NAME, f.SOURCE]
    assert len(schema.feature) == 13
    assert list(schema.string_domain[0].value) == ["false", "true"]
    findings = Stages(tmp_path, two_classes.examples, written).gate(STOP)
    # Validation was made unlike train, but ten images are too few to say so.
    assert json.loads(Path(findings.uri, FINDINGS_FILE).read_text()) == []


def test_freeze_replaces_only_by_force(two_classes: Stages, tmp_path: Path) -> None:
    inferred, destination = Path(two_classes.schema.uri, "schema.pbtxt"), tmp_path / "schema.pbtxt"
    destination.write_text("mine")
    with pytest.raises(UserError, match="exists and may have been edited by hand; --force replaces it"):
        freeze(inferred, ["a"], destination)
    assert destination.read_text() == "mine"
    assert freeze(inferred, ["a"], destination, force=True).read_text() != "mine"


def test_freeze_names_what_is_wrong(two_classes: Stages, tmp_path: Path) -> None:
    inferred = Path(two_classes.schema.uri, "schema.pbtxt")
    with pytest.raises(UserError, match="at least one class"):
        freeze(inferred, [], tmp_path / "a")
    with pytest.raises(UserError, match=r"missing\.pbtxt is not the schema of a run"):
        freeze(tmp_path / "missing.pbtxt", ["a"], tmp_path / "a")
    (tmp_path / "file").write_bytes(b"\xff{")
    with pytest.raises(UserError, match="file is not the schema of a run"):
        freeze(tmp_path / "file", ["a"], tmp_path / "a")
    with pytest.raises(UserError, match="Cannot write"):
        freeze(inferred, ["a"], tmp_path / "file" / "schema.pbtxt")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, unique=True))
def test_freeze_keeps_class_names_of_any_script(two_classes: Stages, names: list[str]) -> None:
    inferred = Path(two_classes.schema.uri, "schema.pbtxt")
    destination = Path(two_classes.folder, "frozen.pbtxt")
    schema = io_utils.SchemaReader().read(str(freeze(inferred, names, destination, force=True)))
    assert list(schema.string_domain[0].value) == sorted(names)
    assert destination.read_text().replace("\n", "").isprintable()
    label = next(feature for feature in schema.feature if feature.name == f.LABEL)
    assert (label.int_domain.min, label.int_domain.max) == (0, len(names) - 1)
