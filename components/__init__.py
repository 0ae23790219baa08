"""The code that runs inside the stages: a package per stage, none of which imports another."""

import importlib.util
import os


def _name_libtpu() -> None:
    """Tell TensorFlow where pip puts the library of a TPU: it looks for it when it is imported, and not there."""
    found = importlib.util.find_spec("libtpu")
    for folder in (found and found.submodule_search_locations) or ():
        os.environ.setdefault("TPU_LIBRARY_PATH", os.path.join(folder, "libtpu.so"))


_name_libtpu()
