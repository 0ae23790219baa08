"""The name of an artifact's file is written down once: in its contract."""

from __future__ import annotations

import ast
from pathlib import Path

from pipeline import ROOT

CONTRACTS = ROOT / "components" / "contracts"
TEMPLATE = ("components/report/build.py", "report.html")  # the template has the name of the page


def strings(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def declared(file: Path) -> set[str]:
    """The values of the constants *_FILE of a module."""
    assignments = [node for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign)]
    return {
        node.value.value
        for node in assignments
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.endswith("_FILE") and isinstance(node.value, ast.Constant)
    }


def test_no_other_module_repeats_the_name_of_a_file() -> None:
    owners = {name: file for file in CONTRACTS.glob("*.py") for name in declared(file)}
    assert {"counts.json", "findings.json", "FeatureStats.pb", "serving_check.json", "result.json"} <= set(owners)
    repeated = [
        (path, name)
        for folder in ("components", "pipeline")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for path in [file.relative_to(ROOT).as_posix()]
        for name in strings(file) & set(owners)
        if owners[name] != file and (path, name) != TEMPLATE
    ]
    assert repeated == []
