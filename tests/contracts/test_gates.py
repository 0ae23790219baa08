"""The table of gates: what is refused, how TFMA is told of it, and what it says of a measured model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format

from components.contracts import checks, gates
from components.contracts.gates import Gate, table

SHORT = {"min_accuracy": 0.9, "min_class_recall": 0.5, "max_drop": 0.01}
LISTED = [
    Gate(metric="macro_f1", minimum=0.8),
    Gate(metric="expected_calibration_error", maximum=0.05),
    Gate(metric="accuracy", minimum=0.85, on="interval"),
    Gate(metric="accuracy", scope="slice", minimum=0.4),
    Gate(metric="cross_entropy", max_drop=0.1),
]
MEASURED: dict[str, Any] = {
    "accuracy": {"value": 0.92, "low": 0.84, "high": 0.96},
    "macro_f1": 0.75,
    "cross_entropy": {"value": 0.5, "low": 0.4, "high": 0.6},
    "expected_calibration_error": 0.08,
    "classes": [
        {"name": "cat", "pictures": 60, "recall": {"value": 0.95, "low": 0.9, "high": 0.99}},
        {"name": "dog\n", "pictures": 20, "recall": {"value": 0.55, "low": 0.45, "high": 0.65}},
        {"name": "emu", "pictures": 0, "recall": None},
    ],
    "slices": [
        {"by": "brightness", "name": "0.1 to 0.2", "accuracy": {"value": 0.3, "low": 0.1, "high": 0.6}},
        {"by": "size", "name": "32 to 63 pixels", "accuracy": {"value": 0.92, "low": 0.84, "high": 0.96}},
    ],
    "baseline": {"accuracy": 0.95, "cross_entropy": 0.45},
}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"metric": "f2", "minimum": 0.5}, "no such metric; the metrics are accuracy, "),
        ({"metric": "accuracy"}, "needs one of minimum, maximum and max_drop"),
        ({"metric": "accuracy", "minimum": 0.5, "max_drop": 0.1}, "needs one of minimum"),
        (
            {"metric": "expected_calibration_error", "minimum": 0.1},
            "is better when lower: set a maximum, not a minimum",
        ),
        ({"metric": "accuracy", "maximum": 0.1}, "is better when higher: set a minimum, not a maximum"),
        ({"metric": "accuracy", "minimum": 95}, "must be a fraction from 0 to 1, not 95"),
        ({"metric": "cross_entropy", "maximum": -1}, "must be 0 or more, not -1"),
        ({"metric": "macro_f1", "minimum": 0.5, "scope": "class"}, "by class a gate can hold accuracy"),
        ({"metric": "accuracy", "max_drop": 0.1, "scope": "slice"}, "max_drop has the scope overall only"),
        (
            {"metric": "macro_f1", "minimum": 0.5, "on": "interval"},
            "on: interval holds a minimum or a maximum of accuracy",
        ),
        ({"metric": "macro_f1", "minimum": 0.5, "on": "majority"}, "on: majority holds a minimum of accuracy"),
        ({"metric": "accuracy", "max_drop": 0.5, "on": "majority"}, "on: majority holds a minimum of accuracy"),
        ({"metric": "accuracy", "minimum": 0.5, "on": "majority", "scope": "class"}, "has the scope overall only"),
        ({"metric": "accuracy", "minimum": 0.5, "slice": "x"}, "Extra inputs"),
    ],
)
def test_a_gate_without_a_meaning_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Gate(**fields)


def test_the_short_settings_are_gates_and_a_listed_one_replaces_them() -> None:
    assert [(gate.key, gate.limit) for gate in table(SHORT, LISTED)] == [
        ("accuracy_majority_minimum", 0),
        ("min_accuracy", 0.9),
        ("min_class_recall", 0.5),
        ("max_drop", 0.01),
        ("macro_f1_minimum", 0.8),
        ("expected_calibration_error_maximum", 0.05),
        ("accuracy_interval_minimum", 0.85),
        ("accuracy_slice_minimum", 0.4),
        ("cross_entropy_max_drop", 0.1),
    ]
    (_, second, *_) = table(SHORT, [Gate(metric="accuracy", minimum=0.7)])
    assert (second.key, second.limit) == ("min_accuracy", 0.7)
    (first, *_) = table(SHORT, [Gate(metric="accuracy", minimum=0.1, on="majority")])
    assert (first.key, first.limit) == ("accuracy_majority_minimum", 0.1)
    with pytest.raises(ValueError, match="two gates hold the same: macro f1 minimum"):
        table(SHORT, [Gate(metric="macro_f1", minimum=0.1), Gate(metric="macro_f1", minimum=0.2)])


def test_the_majority_class_is_a_floor_unless_the_floor_is_turned_off() -> None:
    assert [gate.key for gate in table({"min_accuracy": None}, [])] == ["accuracy_majority_minimum"]
    assert [gate.key for gate in table({"min_accuracy": 0}, [])] == ["min_accuracy"]


def by_key(found: list[Gate]) -> list[Gate]:
    return sorted(found, key=lambda gate: gate.key)


def test_tfma_is_told_of_every_gate_and_tells_it_back() -> None:
    from components.evaluator.eval_config import eval_config, with_limits

    every = table(SHORT, LISTED)
    config = eval_config(every, 0.9)
    stored = json_format.MessageToJson(config, preserving_proto_field_name=True)
    assert by_key(gates.of_eval_config(json.loads(stored))) == by_key(every)
    assert by_key(gates.of_eval_config(json_format.MessageToDict(config))) == by_key(every), "as TFMA stores it"
    order = ["accuracy_majority_minimum", "min_accuracy", "max_drop", "min_class_recall"]
    order += ["accuracy_interval_minimum", "accuracy_slice_minimum"]
    order += ["macro_f1_minimum", "cross_entropy_max_drop", "expected_calibration_error_maximum"]
    assert [gate.key for gate in gates.of_eval_config(json.loads(stored))] == order, "whatever order a map has"
    changed = json.loads(with_limits(stored, {"min_accuracy": 0.3, "macro_f1_minimum": 0.2}))
    limits = {gate.key: gate.limit for gate in gates.of_eval_config(changed)}
    assert limits == {gate.key: gate.limit for gate in every} | {"min_accuracy": 0.3, "macro_f1_minimum": 0.2}
    assert json.loads(changed["metrics_specs"][0]["metrics"][0]["config"]) == {"bounds": {"accuracy": 0.9}}


def test_the_thresholds_of_earlier_versions_are_read() -> None:
    def threshold(keys: list[str], **of: Any) -> dict[str, Any]:
        return {"slicing_specs": [{"feature_keys": keys} if keys else {}], "threshold": of}

    whole = threshold([], value_threshold={"lower_bound": 0.9}, change_threshold={"absolute": -0.010000001})
    metric = {"per_slice_thresholds": [whole, threshold(["class_name"], value_threshold={"lower_bound": 0.5})]}
    found = gates.of_eval_config({"metrics_specs": [{"metrics": [metric]}]})
    assert [(gate.key, gate.limit) for gate in found] == [
        ("min_accuracy", 0.9),
        ("max_drop", 0.01),
        ("min_class_recall", 0.5),
    ]
    assert gates.of_eval_config({}) == []


def test_each_gate_is_explained_by_its_name_and_bound() -> None:
    held = [*LISTED, *table(SHORT, [])]
    rows = [
        (one.name, one.needed, one.measured, one.passed, one.note) for one in checks.check(held, MEASURED, "version 1")
    ]
    assert rows == [
        ("macro F1", "at least 80.00%", "75.00%", False, ""),
        ("expected calibration error", "at most 5.00%", "8.00%", False, ""),
        ("accuracy", "lower end of the interval at least 85.00%", "92.00% (84.00% to 96.00%)", False, ""),
        (
            "accuracy of each slice",
            "at least 40.00%",
            "lowest 30.00% (10.00% to 60.00%), brightness '0.1 to 0.2'",
            False,
            "",
        ),
        (
            "cross entropy beside the baseline",
            "at most 0.1000 above version 1",
            "+0.0500: 0.5000 against 0.4500",
            True,
            "",
        ),
        (
            "accuracy beside guessing",
            "lower end of the interval at least 75.00%, the share of 'cat'",
            "92.00% (84.00% to 96.00%)",
            True,
            "",
        ),
        ("accuracy", "at least 90.00%", "92.00% (84.00% to 96.00%)", True, "the interval reaches below 90.00%"),
        (
            "recall of each class",
            "at least 50.00%",
            "lowest 55.00% (45.00% to 65.00%), class 'dog\\\\n'",
            True,
            "the interval reaches below 50.00%",
        ),
        (
            "accuracy beside the baseline",
            "at most 1.00 points below version 1",
            "-3.00 points: 92.00% against 95.00%",
            False,
            "",
        ),
    ]


def test_a_majority_that_the_interval_reaches_is_not_passed() -> None:
    (row,) = checks.check([Gate(metric="accuracy", minimum=0.1, on="majority")], MEASURED, "")
    assert row.needed == "lower end of the interval at least 10.00 points above 75.00%, the share of 'cat'"
    assert not row.passed


def test_without_a_baseline_no_drop_is_held_and_a_metric_that_is_gone_is_not_passed() -> None:
    alone = MEASURED | {"baseline": None}
    assert checks.check([Gate(metric="accuracy", max_drop=0)], alone, "") == []
    (gone,) = checks.check(
        [Gate.model_construct(metric="gone", scope="overall", on="value", minimum=0.5, maximum=None, max_drop=None)],
        alone,
        "",
    )
    assert (gone.name, gone.passed, gone.measured) == ("gone", False, "not measured")
