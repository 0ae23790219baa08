"""Classes that a split cannot measure are told by name, and stop nothing."""

from __future__ import annotations

from components.data_gate import anomalies

FULL = {"cat": 9, "dog": 9, "emu": 9}


def found(validation: dict[str, int], test: dict[str, int]) -> list[tuple[str, str]]:
    counts = {"train": FULL, "validation": validation, "test": test}
    return [(finding.action, finding.message) for finding in anomalies.missing_classes(counts, "stop")]


def test_a_class_that_a_split_lacks_is_a_warning() -> None:
    assert found(FULL, FULL) == []
    ((action, message),) = found(FULL, {"cat": 1, "dog": 0})
    assert action == "warn"
    assert message.startswith("test has no image of 2 classes: 'dog', 'emu', which train has, and cannot measure them.")
    assert [action for action, _ in found({"cat": 1}, {"dog": 1})] == ["warn", "warn"]


def test_a_split_without_any_image_is_told_once() -> None:
    assert [action for action, _ in found({}, FULL)] == ["stop"]
