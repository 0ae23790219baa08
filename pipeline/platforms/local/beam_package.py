"""This project as a source package, which Beam ships to remote workers."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline import ROOT

_SETUP = """from setuptools import find_packages, setup

setup(name="image-classification-pipeline", version="0", packages=find_packages(), include_package_data=True)
"""


def setup_file(run_dir: str) -> Path:
    """Return a setup.py that packages this project: the checkout's, else one beside a copy of the installed code.

    Args:
      run_dir: where the copy is written, if one is needed. It is written again at each call, so that it is the code
        that runs.
    """
    checkout = ROOT / "setup.py"
    if checkout.exists():
        return checkout
    folder = Path(run_dir).resolve() / "beam_package"
    for name in ("components", "pipeline"):
        source = ROOT / name
        shutil.copytree(source, folder / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "MANIFEST.in").write_text("recursive-include components *\nrecursive-include pipeline *\n")
    setup = folder / "setup.py"
    setup.write_text(_SETUP)
    return setup
