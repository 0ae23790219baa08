"""Which Python the worker is, what it is given of this process, and whether both have the same code."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from pathlib import Path

from components.errors import UserError
from pipeline import ROOT


def find_python(python: str) -> str:
    """Return the absolute path of a Python: a command's name, or a path from the current folder or the project's.

    Raises:
      UserError: there is none.
    """
    path = os.path.expanduser(os.fspath(python))
    found = [shutil.which(path)] if os.sep not in path else [os.path.abspath(path), str(ROOT / path)]
    for candidate in found:
        if candidate and os.path.isfile(candidate):
            return candidate  # as it is: the Python of an environment is a link
    raise UserError(f"there is no Python at {python}: `make setup` makes {ROOT / '.venv/bin/python'}")


@functools.cache  # of the code as it was loaded, or nearly
def source_hash() -> str:
    """Return a hash of the code that both sides must have alike: this package's."""
    package = Path(__file__).parents[1]
    result = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        result.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return result.hexdigest()


def environment() -> dict[str, str]:
    """Return the environment of the worker: what belongs to this Python, or to its notebook, is not for another."""
    ours = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
    ours |= {"MPLBACKEND", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"}
    result = {key: value for key, value in os.environ.items() if key not in ours}
    if (ROOT / "setup.py").exists():  # a checkout: the worker uses the same
        result["PYTHONPATH"] = str(ROOT)
    return {"TF_CPP_MIN_LOG_LEVEL": "2", "MPLBACKEND": "agg"} | result


def folder() -> str | None:
    """Return the current folder, from which a relative path means the same on both sides."""
    try:
        return os.getcwd()
    except OSError:
        return None
