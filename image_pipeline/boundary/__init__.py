"""The Python API in another Python: a worker process, and proxies of the objects that live in it.

`connection` starts the process, in a Python that `interpreter` finds, and exchanges JSON lines with it. `worker` is the
process, `wire` and `frames` turn values into JSON and back, and `client` is what the user holds. On the user's side all
of it imports the standard library alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_pipeline.boundary.client import Remote


def remote(python: str | os.PathLike[str] = ".venv/bin/python") -> Remote:
    """Start a worker process of another Python; the object returned has the same calls, made there.

    For a notebook whose Python cannot have TensorFlow and TFX: `r = ip.remote()`, then `r.run("photos/")` and all other
    calls with the same arguments. This Python needs only the package itself, and pandas and Pillow to hold frames and
    images.

    Numbers, text, paths, lists, dicts, DataFrames, arrays and images cross as values. Anything else that a call returns
    stays in the worker, and a proxy of it crosses: it has the same attributes and methods, is shown in the same way,
    and can be an argument of later calls. Datasets, models and tensors of TensorFlow cannot cross: a UserError says
    what can be done instead. Exceptions arrive as the same types, those of a library as RuntimeError; the cause of a
    fault of the program is the worker's traceback.

    Calls are made one at a time; another thread waits. Ctrl-C interrupts the call in the worker, so that a run ends
    with its result and the same call resumes it; a second Ctrl-C ends the worker at once. If the worker has ended, for
    example for want of memory, the next call starts another, and proxies of the old one are of no more use. `r.close()`
    ends it, as does the end of `with ip.remote() as r:` and of this process; a run in it ends as by SIGTERM, and the
    same call resumes it.

    Args:
      python: the path of a Python with this package and what it needs, as `make setup` makes it; a relative path is
        looked for from the current folder, then from the project's.

    Raises:
      UserError: there is no such Python, it lacks what the package needs, or it has another version of the package.
    """
    from image_pipeline.boundary.client import Remote

    return Remote(python)
