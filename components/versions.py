"""The versions of the libraries that a run's result depends on."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata

from components.errors import UserError

COMPILED_WITH = "compiled_with_tfx"  # key under which a pipeline tells a stage in an image the version of TFX
UNSAID = "1.16.0"  # the version with which a pipeline was compiled that does not say it
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
OPTIONAL = ("pi-heif", "pillow-heif")  # it depends on these where they are installed


def versions() -> dict[str, str]:
    """Return the versions of Python and the libraries."""
    return {"python": platform.python_version()} | libraries()


def lane() -> str:
    """Return the installed TFX as the Makefile and the Dockerfile name it: 1.16 or 1.21."""
    return ".".join(metadata.version("tfx").split(".")[:2])


def libraries() -> dict[str, str]:
    """Return the versions of the libraries; of the optional ones, of those that are installed."""
    result = {library: metadata.version(library) for library in LIBRARIES}
    for library in OPTIONAL:
        with contextlib.suppress(metadata.PackageNotFoundError):
            result[library] = metadata.version(library)
    return result


def check_image(compiled_with: str) -> None:
    """Compare the TFX of this image with the one that compiled the pipeline.

    Raises:
      UserError: they differ. Graphs and models of one TensorFlow may not load in the other, and keys of the cache
        hold the versions of the machine that compiled.
    """
    here = metadata.version("tfx")
    if here == compiled_with:
        return
    lane, other = (version.rpartition(".")[0] for version in (compiled_with, here))
    raise UserError(
        f"this image has TFX {here}, and the pipeline was compiled with TFX {compiled_with}: build the image with "
        f"`make image LANE={lane}`, or compile the pipeline after `make setup LANE={other}`"
    )
