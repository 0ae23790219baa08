"""The Python API: `import image_pipeline as ip`, then `ip.run("photos/")`.

Importing it loads nothing but the standard library: TensorFlow, TFX and pandas are loaded by the calls that need them.
"""

from components.errors import Damaged, GateRefused, UserError
from image_pipeline.boundary import remote
from image_pipeline.calls import config, find_run, run
from image_pipeline.finished_run import Run, RunFailed
from image_pipeline.gallery import Gallery, Item

__all__ = [
    "Damaged",
    "Gallery",
    "GateRefused",
    "Item",
    "Run",
    "RunFailed",
    "UserError",
    "config",
    "find_run",
    "remote",
    "run",
]
