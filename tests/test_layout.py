"""The folders of the tests are those of the packages: see CONTRIBUTING.md, 'Tests'."""

from __future__ import annotations

from pipeline import ROOT

ACROSS_PACKAGES = {"api", "browser", "end_to_end", "faults"}


def test_each_folder_has_a_package() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("*.py")}
    packages = [ROOT, ROOT / "components"]
    assert {str(f) for f in folders if not any((p / f).is_dir() for p in packages)} == ACROSS_PACKAGES
    assert [str(f) for f in folders if not (ROOT / "tests" / f / "__init__.py").exists()] == []
