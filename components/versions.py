"""The versions of the libraries that a run's result depends on."""

import platform
from importlib import metadata

LIBRARIES = (
    "apache-beam",
    "keras",
    "numpy",
    "pillow",
    "pyarrow",
    "simplejpeg",
    "tensorflow",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "tensorflow-transform",
    "tfx",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and the libraries."""
    return {"python": platform.python_version()} | {library: metadata.version(library) for library in LIBRARIES}
